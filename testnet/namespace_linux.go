package testnet

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace with nothing but a loopback interface.
type namespace struct{ file *os.File }

// newNamespace needs the right to make one (CAP_SYS_ADMIN).
func newNamespace() (*namespace, error) {
	n := &namespace{}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if err := raiseLoopback(); err != nil {
			return err
		}
		var err error
		n.file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNamespace, err)
	}
	return n, nil
}

// do calls f in the namespace: sockets that it opens and processes that it starts
// belong there. What f starts in other goroutines does not.
func (n *namespace) do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("%w: %w", ErrNamespace, err)
		}
		return f()
	})
}

func (n *namespace) close() error { return n.file.Close() }

// onThread calls f on a thread of its own, which may be in another namespace
// afterwards: it is not used again.
func onThread(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		var err error
		defer func() { result <- err }()
		err = f()
	}()
	return <-result
}

func raiseLoopback() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	r, err := unix.NewIfreq("lo")
	if err == nil {
		r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		err = unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r)
	}
	return errors.Join(err, unix.Close(s))
}
