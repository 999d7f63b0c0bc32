package node

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"holdfast/internal/atomicfile"
)

// admin is the listener for the operator's own tools, on loopback only.
type admin struct {
	listener net.Listener
	path     string // of the file that tells where it is
	instance string // of this run of the node: see Ask
}

func listenAdmin(dir, addr string) (*admin, error) {
	if err := checkAdmin(addr); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("open admin listener: %w", err)
	}
	a := &admin{listener: l, path: filepath.Join(dir, adminName), instance: rand.Text()}
	p := place{Addr: l.Addr().String(), Instance: a.instance, PID: os.Getpid()}
	if err := atomicfile.WriteFile(a.path, p.encode(), 0o644); err != nil {
		return nil, errors.Join(fmt.Errorf("open admin listener: %w", err), l.Close())
	}
	return a, nil
}

// serve answers until ctx ends.
func (a *admin) serve(ctx context.Context, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin listener: %w", err)
	}
	return nil
}

func (a *admin) close() error {
	err := a.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	gone := os.Remove(a.path)
	if errors.Is(gone, fs.ErrNotExist) {
		gone = nil
	}
	return errors.Join(err, gone)
}

func (n *Node) adminHandler(g prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", n.serveLive)
	mux.HandleFunc("GET /readyz", n.serveReady)
	mux.HandleFunc("GET /status", n.serveStatus)
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	return loopbackOnly(n.admin.instance, mux)
}

// instanceHeader tells a client which run of which node answers.
const instanceHeader = "Holdfast-Instance"

// loopbackOnly refuses what a browser was tricked into sending: a request whose Host
// is not a loopback name.
func loopbackOnly(instance string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if checkAdmin(r.Host) != nil {
			http.Error(w, "only for this machine", http.StatusForbidden)
			return
		}
		w.Header().Set(instanceHeader, instance)
		next.ServeHTTP(w, r)
	})
}

// serveLive fails the moment shutdown has begun.
func (n *Node) serveLive(w http.ResponseWriter, _ *http.Request) {
	if state, _ := n.state(); state == StateStopping {
		http.Error(w, "[-]node is stopping", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "[+]node ok")
}

// serveReady fails while the node takes and gives nothing.
func (n *Node) serveReady(w http.ResponseWriter, _ *http.Request) {
	count, skew := n.around.seen()
	network := fmt.Sprintf("[+]network ok (%d peers)", count)
	if unusable(skew) {
		network = fmt.Sprintf("[-]clock is %v from that of %d peers", -skew.Round(time.Second), count)
	}
	state, reason := n.state()
	if state != StateServing {
		http.Error(w, fmt.Sprintf("[-]volume %s: %s\n%s", state, reason, network), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, "[+]volume ok\n%s\n", network)
}

func (n *Node) serveStatus(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(n.Status(r.Context())); err != nil {
		n.log.Debug("status not sent", "error", err)
	}
}
