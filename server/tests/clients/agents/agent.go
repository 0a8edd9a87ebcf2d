// An agent on grpc-go, with messages as bytes.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

type asBytes struct{}

func (asBytes) Marshal(message any) ([]byte, error) { return message.([]byte), nil }
func (asBytes) Name() string                        { return "proto" }
func (asBytes) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = append([]byte(nil), data...)
	return nil
}

var writing sync.Mutex

func say(words ...any) {
	writing.Lock()
	defer writing.Unlock()
	fmt.Println(words...)
}

func call(ctx context.Context, connection *grpc.ClientConn, id, path string, request []byte) {
	var reply []byte
	err := connection.Invoke(ctx, path, request, &reply, grpc.ForceCodec(asBytes{}))
	switch {
	case err != nil:
		ended := status.Convert(err)
		say(id, int(ended.Code()), "-", strings.ReplaceAll(ended.Message(), "\n", " "))
	case len(reply) == 0:
		say(id, 0, "-")
	default:
		say(id, 0, hex.EncodeToString(reply))
	}
}

func run(address string, authority []string) error {
	secrets := insecure.NewCredentials()
	if len(authority) > 0 {
		tls, err := credentials.NewClientTLSFromFile(authority[0], "")
		if err != nil {
			return err
		}
		secrets = tls
	}
	connection, err := grpc.Dial(address, grpc.WithTransportCredentials(secrets))
	if err != nil {
		return err
	}
	cancels := map[string]context.CancelFunc{}
	say("ready", grpc.Version)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Split(lines.Text(), " ")
		if words[0] == "cancel" {
			cancels[words[1]]()
			continue
		}
		milliseconds, err := strconv.Atoi(words[3])
		if err != nil {
			return err
		}
		request, err := os.ReadFile(words[4])
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(milliseconds)*time.Millisecond)
		cancels[words[1]] = cancel
		go call(ctx, connection, words[1], words[2], request)
	}
	return lines.Err()
}

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
