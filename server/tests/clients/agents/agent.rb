# An agent on grpc for Ruby, which is the C core of gRPC.

require 'grpc'

STDOUT.sync = true

# One thread writes, so that long lines of several calls do not mix.
LINES = Queue.new
Thread.new { loop { puts LINES.pop } }

def say(*words)
  LINES << words.join(' ')
end

def call(stub, operations, id, path, timeout_ms, file)
  bytes = ->(message) { message }
  deadline = Time.now + timeout_ms.to_f / 1000
  operation = stub.request_response(path, File.binread(file), bytes, bytes,
                                    deadline: deadline, return_op: true)
  operations[id] = operation
  reply = operation.execute
  say(id, 0, reply.empty? ? '-' : reply.unpack1('H*'))
rescue GRPC::BadStatus => e
  say(id, e.code, '-', e.details.to_s.tr("\n", ' '))
rescue GRPC::Core::CallError => e
  say(id, 14, '-', e.message)
end

address, authority = ARGV
credentials = authority ? GRPC::Core::ChannelCredentials.new(File.read(authority)) : :this_channel_is_insecure
stub = GRPC::ClientStub.new(address, credentials)
operations = {}
say('ready', GRPC::VERSION)
STDIN.each_line(chomp: true) do |line|
  verb, id, *rest = line.split(' ')
  if verb == 'cancel'
    operations[id]&.cancel
  else
    Thread.new { call(stub, operations, id, *rest) }
  end
end
