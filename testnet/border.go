package testnet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// border lies between the nodes of a network that run in a network namespace of their
// own and all others. Every address is 127.0.0.1 on both sides: for each port that
// one side serves, the border listens on the other and passes bytes on. While it is
// shut it passes nothing, neither on connections that are open nor on new ones, and
// says nothing about it: as a network does in which a cable is cut. When it is opened
// again, what was held goes on.
type border struct {
	far *namespace

	mu      sync.Mutex
	open    chan struct{} // closed while bytes pass
	closed  bool
	closers map[io.Closer]struct{}
	work    sync.WaitGroup
}

func newBorder() (*border, error) {
	far, err := newNamespace()
	if err != nil {
		return nil, err
	}
	b := &border{far: far, open: make(chan struct{}), closers: map[io.Closer]struct{}{}}
	close(b.open)
	return b, nil
}

// side is where a listener, or a dialled connection, is.
type side func(f func() error) error

func here(f func() error) error { return f() }

// passOn serves an address on one side by whoever listens there on the other. What is
// for the operator's own tools passes also while the border is shut.
func (b *border) passOn(addr string, from, to side, always bool) error {
	var l net.Listener
	err := from(func() (err error) {
		l, err = net.Listen("tcp4", addr)
		return err
	})
	if err != nil {
		return fmt.Errorf("pass on %s: %w", addr, err)
	}
	if !b.keep(l) {
		return l.Close()
	}
	b.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.work.Go(func() { b.connect(c, addr, to, always) })
		}
	})
	return nil
}

func (b *border) connect(c net.Conn, addr string, to side, always bool) {
	if !b.keep(c) {
		c.Close()
		return
	}
	defer b.drop(c)
	if !always {
		b.wait()
	}
	var d net.Conn
	err := to(func() (err error) {
		d, err = net.Dial("tcp4", addr)
		return err
	})
	if err != nil {
		return // as if nobody listened
	}
	if !b.keep(d) {
		d.Close()
		return
	}
	defer b.drop(d)
	var both sync.WaitGroup
	both.Go(func() { b.copy(d, c, always) })
	both.Go(func() { b.copy(c, d, always) })
	both.Wait()
}

// copy passes what comes until its end, which it passes on as well.
func (b *border) copy(dst, src net.Conn, always bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if !always {
			b.wait()
		}
		if n > 0 {
			if _, failed := dst.Write(buf[:n]); failed != nil {
				err = failed
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			_ = dst.(*net.TCPConn).CloseWrite() // it may be gone already
			return
		case err != nil:
			src.Close()
			dst.Close()
			return
		}
	}
}

// wait returns when the border is open.
func (b *border) wait() {
	b.mu.Lock()
	open := b.open
	b.mu.Unlock()
	<-open
}

// shut and reopen are idempotent.
func (b *border) shut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.open:
		if !b.closed {
			b.open = make(chan struct{})
		}
	default:
	}
}

func (b *border) reopen() {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.open:
	default:
		close(b.open)
	}
}

// keep remembers what is to be closed with the border; false if that has happened.
func (b *border) keep(c io.Closer) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closers[c] = struct{}{}
	}
	return !b.closed
}

func (b *border) drop(c io.Closer) {
	b.mu.Lock()
	delete(b.closers, c)
	b.mu.Unlock()
	c.Close()
}

// close ends all connections, and the namespace when the last process in it ends.
// Closing it again does nothing.
func (b *border) close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	for c := range b.closers {
		c.Close()
	}
	b.mu.Unlock()
	b.reopen()
	b.work.Wait()
	return b.far.close()
}
