import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/** An agent on grpc-java with Netty, with messages as bytes. */
public final class Agent {
    private static final MethodDescriptor.Marshaller<byte[]> BYTES = new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] message) {
            return new ByteArrayInputStream(message);
        }

        @Override
        public byte[] parse(InputStream message) {
            try {
                return message.readAllBytes();
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    };

    /** Writes a line; `println` of a whole one keeps those of several calls apart. */
    private static void say(Object... words) {
        StringBuilder line = new StringBuilder();
        for (Object word : words) {
            line.append(line.length() == 0 ? "" : " ").append(word);
        }
        System.out.println(line);
    }

    private static final char[] DIGITS = "0123456789abcdef".toCharArray();

    private static String hex(byte[] bytes) {
        char[] text = new char[bytes.length * 2];
        for (int i = 0; i < bytes.length; i++) {
            text[2 * i] = DIGITS[bytes[i] >> 4 & 15];
            text[2 * i + 1] = DIGITS[bytes[i] & 15];
        }
        return text.length == 0 ? "-" : new String(text);
    }

    private static final class Listener extends ClientCall.Listener<byte[]> {
        private final String id;
        private byte[] reply = {};

        Listener(String id) {
            this.id = id;
        }

        @Override
        public void onMessage(byte[] message) {
            reply = message;
        }

        @Override
        public void onClose(Status status, Metadata trailers) {
            String message = status.getDescription() == null ? "" : status.getDescription().replace('\n', ' ');
            say(id, status.getCode().value(), status.isOk() ? hex(reply) : "-", message);
        }
    }

    private static ClientCall<byte[], byte[]> begin(ManagedChannel channel, String[] words) throws IOException {
        MethodDescriptor<byte[], byte[]> method = MethodDescriptor.newBuilder(BYTES, BYTES)
                .setType(MethodDescriptor.MethodType.UNARY)
                .setFullMethodName(words[2].substring(1))
                .build();
        CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(Long.parseLong(words[3]), TimeUnit.MILLISECONDS);
        ClientCall<byte[], byte[]> call = channel.newCall(method, options);
        call.start(new Listener(words[1]), new Metadata());
        call.request(2);
        call.sendMessage(Files.readAllBytes(Path.of(words[4])));
        call.halfClose();
        return call;
    }

    public static void main(String[] arguments) throws IOException {
        NettyChannelBuilder builder = NettyChannelBuilder.forTarget(arguments[0]);
        if (arguments.length > 1) {
            builder.sslContext(GrpcSslContexts.forClient().trustManager(new File(arguments[1])).build());
        } else {
            builder.usePlaintext();
        }
        ManagedChannel channel = builder.build();
        Map<String, ClientCall<byte[], byte[]>> calls = new ConcurrentHashMap<>();
        say("ready", NettyChannelBuilder.class.getPackage().getImplementationVersion());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("cancel")) {
                calls.get(words[1]).cancel("asked to", null);
            } else {
                calls.put(words[1], begin(channel, words));
            }
        }
        System.exit(0);
    }
}
