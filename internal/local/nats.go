package local

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"
)

// natsReady reads the greeting of a NATS server, which says whether JetStream runs. It needs no client.
func natsReady(ctx context.Context, port int) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(time.Second)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	line, err := bufio.NewReaderSize(conn, 8192).ReadSlice('\n')
	if err != nil {
		return err
	}
	if s := string(line); !strings.HasPrefix(s, "INFO ") || !strings.Contains(s, `"jetstream":true`) {
		return errors.New("NATS does not offer JetStream yet")
	}
	return nil
}
