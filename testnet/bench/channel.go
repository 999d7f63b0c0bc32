package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p"
)

const (
	channelNetwork  = "test-bench"
	channelProtocol = "bench/1"
	channelPatience = time.Minute
)

// channelKernels move rows over the loopback interface, one stream to each of as many
// hosts as there are nodes. Both ends are in this process, so that its CPU is that of
// both. What is measured are our own channel and, for comparison, bare TCP.
func (b *bench) channelKernels(ctx context.Context, _ string) ([]kernel, error) {
	p, err := b.openChannels(ctx)
	if err != nil {
		return nil, err
	}
	t, err := listenTCP(b.row())
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	row := make([]byte, b.row())
	return []kernel{
		{name: pChannel, copies: b.Nodes, close: p.close, make: func(i int) (doer, error) {
			s, err := p.client.Open(ctx, p.nodes[i].ID(), channelProtocol)
			if err != nil {
				return nil, err
			}
			return func() (int64, error) {
				err := s.SetWriteDeadline(time.Now().Add(channelPatience))
				return int64(len(row)), errors.Join(err, s.SetReadDeadline(time.Now().Add(channelPatience)), send(s, row))
			}, nil
		}},
		{name: pTCP, copies: b.Nodes, close: t.close, make: func(int) (doer, error) {
			c, err := t.dial(ctx)
			return func() (int64, error) { return int64(len(row)), send(c, row) }, err
		}},
	}, nil
}

// send writes a row and waits for the other end's word that it has it.
func send(s io.ReadWriter, row []byte) error {
	for at := 0; at < len(row); at += pieceSize {
		if _, err := s.Write(row[at:min(at+pieceSize, len(row))]); err != nil {
			return err
		}
	}
	_, err := io.ReadFull(s, make([]byte, 1))
	return err
}

// take is the other end of send, again and again.
func take(s io.ReadWriter, row int64, renew func() error) {
	buf := make([]byte, pieceSize)
	for {
		for left := row; left > 0; {
			n, err := s.Read(buf[:min(int64(len(buf)), left)])
			if left -= int64(n); err != nil {
				return // the sender has gone, or will see that we have
			}
		}
		if _, err := s.Write([]byte{1}); err != nil || renew() != nil {
			return
		}
	}
}

// channels are a client's host and those of nodes.
type channels struct {
	client *p2p.Host
	nodes  []*p2p.Host
}

func (b *bench) openChannels(ctx context.Context) (*channels, error) {
	c := &channels{}
	for range b.Nodes {
		if err := c.addNode(ctx, b.row()); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	key, err := ident.GenerateKey(rand.Reader)
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	if c.client, err = p2p.New(ctx, p2p.Config{Key: key, Network: channelNetwork}); err != nil {
		return nil, errors.Join(err, c.close())
	}
	for _, n := range c.nodes {
		if err := c.client.Learn(n.ID(), n.Addrs()); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	return c, nil
}

// addNode starts a host with a certificate of an operator of its own.
func (c *channels) addNode(ctx context.Context, row int64) error {
	var keys [3]ident.PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = ident.GenerateKey(rand.Reader); err != nil {
			return err
		}
	}
	now := time.Now()
	cert, err := ledger.SignNodeCertificate(keys[0], ledger.NodeCertificate{
		Network: channelNetwork, Name: "bench", Node: keys[1].Public(), Vote: keys[2].Public(), Zone: "bench",
		Serial: 1, Issued: now.Add(-time.Hour).UnixMilli(), Expires: now.Add(24 * time.Hour).UnixMilli(),
	})
	if err != nil {
		return err
	}
	h, err := p2p.New(ctx, p2p.Config{Key: keys[1], Network: channelNetwork, Certificate: cert, Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	if err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	h.Handle(channelProtocol, func(_ context.Context, s p2p.Stream) {
		take(s, row, func() error {
			until := time.Now().Add(channelPatience)
			return errors.Join(s.SetReadDeadline(until), s.SetWriteDeadline(until))
		})
	})
	c.nodes = append(c.nodes, h)
	return nil
}

func (c *channels) close() error {
	var err error
	if c.client != nil {
		err = c.client.Close()
	}
	for _, h := range c.nodes {
		err = errors.Join(err, h.Close())
	}
	return err
}

// tcp takes rows over bare connections.
type tcp struct {
	listener net.Listener
	row      int64
	conns    []net.Conn
	ended    chan struct{}
}

func listenTCP(row int64) (*tcp, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	t := &tcp{listener: l, row: row, ended: make(chan struct{}, 1<<10)}
	return t, nil
}

// dial opens a connection, whose other end takes what comes until it is closed.
func (t *tcp) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp4", t.listener.Addr().String())
	if err != nil {
		return nil, err
	}
	other, err := t.listener.Accept()
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	go func() {
		take(other, t.row, func() error { return nil })
		other.Close()
		t.ended <- struct{}{}
	}()
	t.conns = append(t.conns, c)
	return c, nil
}

func (t *tcp) close() error {
	err := t.listener.Close()
	for _, c := range t.conns {
		err = errors.Join(err, c.Close())
		<-t.ended
	}
	return err
}
