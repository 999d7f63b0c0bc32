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
	"holdfast/internal/webpage"
)

// admin is the listener for the operator's own tools, on loopback only.
type admin struct {
	listener net.Listener
	path     string // of the file that tells where it is
	instance string // of this run of the node: see Ask
	key      string // that a change has to show
}

func listenAdmin(dir, addr string) (*admin, error) {
	if err := checkAdmin(addr); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("open admin listener: %w", err)
	}
	// A name is what the resolver of this machine makes of it.
	if err := checkAdmin(l.Addr().String()); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	a := &admin{listener: l, path: filepath.Join(dir, adminName), instance: rand.Text(), key: rand.Text()}
	p := place{Addr: l.Addr().String(), Instance: a.instance, Change: a.key, PID: os.Getpid()}
	if err := atomicfile.WriteFile(a.path, p.encode(), 0o600); err != nil {
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
	mux.HandleFunc("POST "+scrubPath, withKey(n.admin.key, n.serveScrub))
	mux.HandleFunc("POST "+volumesPath, withKey(n.admin.key, n.serveVolumes))
	mux.HandleFunc("GET /doctor", atLeisure(n.serveDoctor))
	mux.HandleFunc("GET /can-stop", atLeisure(n.serveCanStop))
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	mux.Handle("GET /{$}", webpage.Strict(newPage(n.Status, n.now)))
	mux.Handle("GET /assets/", webpage.Strict(http.HandlerFunc(webpage.Asset)))
	return loopbackOnly(n.admin.instance, mux)
}

// leisure is what an answer may take for which other nodes are asked, less than what
// the client waits for.
const leisure = doctorTimeout - 5*time.Second

// atLeisure gives a question that other nodes have to answer more time than the server
// gives to others. The deadline for reading is one as well: when it is over, the server
// takes it that the client has gone.
func atLeisure(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), leisure)
		defer cancel()
		conn, end := http.NewResponseController(w), time.Now().Add(doctorTimeout)
		if err := errors.Join(conn.SetReadDeadline(end), conn.SetWriteDeadline(end)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		next(w, r.WithContext(ctx))
	}
}

// instanceHeader tells a client which run of which node answers.
const instanceHeader = "Holdfast-Instance"

// loopbackOnly refuses what a browser was tricked into sending: a request whose Host
// is not a loopback name, or one that another site's page has made. The page itself may
// be opened from anywhere.
func loopbackOnly(instance string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if checkAdmin(r.Host) != nil || foreign(r) {
			http.Error(w, "only for this machine", http.StatusForbidden)
			return
		}
		w.Header().Set(instanceHeader, instance)
		next.ServeHTTP(w, r)
	})
}

// foreign reports whether a browser says that another site asks, other than by a link to
// the page. Older browsers say it by Origin alone, and not of every request.
func foreign(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// serveLive fails the moment shutdown has begun.
func (n *Node) serveLive(w http.ResponseWriter, _ *http.Request) {
	if state, _ := n.state(); state == StateStopping {
		http.Error(w, "[-]node is stopping", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "[+]node ok")
}

// serveCanStop answers 412 if the node should not be stopped now.
func (n *Node) serveCanStop(w http.ResponseWriter, r *http.Request) {
	report, err := n.stop.judge(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if !report.Can {
		w.WriteHeader(http.StatusPreconditionFailed)
	}
	if err := json.NewEncoder(w).Encode(report); err != nil {
		n.log.Debug("answer not sent", "error", err)
	}
}

// serveDoctor examines the node. One examination at a time: it writes to the disk, and
// asks others to dial.
func (n *Node) serveDoctor(w http.ResponseWriter, r *http.Request) {
	if !n.examining.TryLock() {
		http.Error(w, "an examination is under way", http.StatusTooManyRequests)
		return
	}
	defer n.examining.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(n.examine(r.Context())); err != nil {
		n.log.Debug("examination not sent", "error", err)
	}
}

func (n *Node) serveStatus(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(n.Status(r.Context())); err != nil {
		n.log.Debug("status not sent", "error", err)
	}
}
