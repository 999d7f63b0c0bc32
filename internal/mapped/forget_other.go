//go:build !linux

package mapped

func forget([]byte) {}
