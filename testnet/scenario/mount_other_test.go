//go:build !linux

package scenario

import "testing"

func mountSmall(t *testing.T, _ string) (grow func() error) {
	t.Skip("a small disk is mounted only on Linux")
	return nil
}

func bindMount(t *testing.T, _, _ string) (mount, unmount func() error) {
	t.Skip("a folder is mounted only on Linux")
	return nil, nil
}
