package node

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// oneConn is a listener on a connection inside the process.
type oneConn struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l oneConn) Close() error   { close(l.done); return nil }
func (l oneConn) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// A question that other nodes have to answer is not cut off with those that this one
// answers alone, and not waited for longer than the client does.
func TestAnswersAtLeisure(t *testing.T) {
	for _, c := range []struct {
		takes time.Duration
		want  string
	}{{50 * time.Second, "answered"}, {time.Hour, context.DeadlineExceeded.Error()}} {
		synctest.Test(t, func(t *testing.T) {
			here, there := net.Pipe()
			l := oneConn{make(chan net.Conn, 1), make(chan struct{})}
			l.conns <- there
			ctx, cancel := context.WithCancel(t.Context())
			served := make(chan error)
			go func() {
				served <- (&admin{listener: l}).serve(ctx, atLeisure(func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-time.After(c.takes):
						io.WriteString(w, "answered")
					case <-r.Context().Done():
						io.WriteString(w, r.Context().Err().Error())
					}
				}))
			}()
			client := http.Client{Timeout: doctorTimeout, Transport: &http.Transport{
				DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return here, nil },
			}}
			resp, err := client.Get("http://127.0.0.1:1/can-stop")
			if err == nil {
				var body []byte
				body, err = io.ReadAll(resp.Body)
				if err = errors.Join(err, resp.Body.Close()); string(body) != c.want {
					t.Errorf("%q, not %q", body, c.want)
				}
			}
			if err != nil {
				t.Errorf("an answer after %v: %v", c.takes, err)
			}
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

// A name that the resolver takes elsewhere is no loopback address: what counts is where
// the listener is.
func TestAdminListensOnLoopback(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:0", "example.org:0"} {
		if a, err := listenAdmin(t.TempDir(), addr); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v, %v", addr, a, err)
		}
	}
}
