//go:build !linux

package testnet

// namespace exists on Linux alone.
type namespace struct{}

func newNamespace() (*namespace, error) { return nil, ErrNamespace }

func (n *namespace) do(func() error) error { return ErrNamespace }

func (n *namespace) close() error { return nil }
