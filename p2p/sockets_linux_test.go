package p2p

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ownSockets returns the inodes of this process's sockets.
func ownSockets(t *testing.T) map[string]bool {
	t.Helper()
	own := make(map[string]bool)
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil {
			continue
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return own
}

// socket is a line of /proc/net/tcp and its like.
type socket struct{ table, local, state string }

// waiting returns those of this process's sockets that anybody could send to:
// listening TCP sockets, and all UDP sockets.
func waiting(t *testing.T) []socket {
	t.Helper()
	own := ownSockets(t)
	var out []socket
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		f, err := os.Open("/proc/net/" + table)
		if os.IsNotExist(err) {
			continue // no IPv6 on this machine
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Scan() // the header
		for lines.Scan() {
			col := strings.Fields(lines.Text())
			const listen = "0A"
			if len(col) > 9 && own[col[9]] && (col[3] == listen || strings.HasPrefix(table, "udp")) {
				out = append(out, socket{table, col[1], col[3]})
			}
		}
		f.Close()
	}
	return out
}

// Only the addresses that are listed are opened: here one on 127.0.0.1 for each
// node, and none for a client, whatever they do.
func TestOnlyListedAddressesAreOpen(t *testing.T) {
	before := len(waiting(t))
	nodes := cluster(t, 3)
	meshed(t, nodes...)
	c := start(t, asClient(), withBootstrap(nodes[0].Addrs()...))
	if _, err := c.Nodes(t.Context()); err != nil {
		t.Fatal(err)
	}
	open := waiting(t)
	if len(open)-before != len(nodes) {
		t.Errorf("%d sockets are open for %d nodes and a client: %v", len(open)-before, len(nodes), open)
	}
	const loopback = "0100007F:" // 127.0.0.1 in the byte order of the file
	for _, s := range open {
		if s.table != "tcp" || !strings.HasPrefix(s.local, loopback) {
			t.Errorf("open to others: %v", s)
		}
	}
}
