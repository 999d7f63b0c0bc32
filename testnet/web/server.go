package web

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"holdfast/internal/bg"
	"holdfast/internal/webpage"
	"holdfast/testnet"
)

// Config describes what is shown.
type Config struct {
	// Network returns the network as it is now: another program may have added nodes.
	Network func() (*testnet.Network, error)
	Now     func() time.Time // time.Now if nil
	Log     *slog.Logger     // silent if nil
}

// Server shows a network.
type Server struct {
	config   Config
	listener net.Listener
	secret   string
	page     *webpage.Page
	watch    *watch
	deeds    *deeds
}

//go:embed page
var files embed.FS

const lookEvery = time.Second

// Open begins to listen, at a port of 127.0.0.1 that is free. Serve makes it work, and
// closes it.
func Open(c Config) (*Server, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("show network: %w", err)
	}
	s := &Server{config: c, listener: l, secret: rand.Text(), page: webpage.Parse(files, "page/*.html", nil)}
	s.watch, s.deeds = newWatch(c), newDeeds(c)
	return s, nil
}

// URL is where a browser finds the page. It holds the secret: who knows it can break
// the network.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + s.root() }

func (s *Server) root() string { return "/" + s.secret + "/" }

// Serve works until ctx ends. What was begun by a button is then ended first.
func (s *Server) Serve(ctx context.Context) error {
	g := &bg.Group{Log: s.config.Log}
	g.Go("look", bg.NewLoop("look at the network", lookEvery, s.watch.look, bg.AtOnce(), bg.Log(s.config.Log)).Run)
	server := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err := server.Serve(s.listener)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	return errors.Join(err, g.Close(limit), s.deeds.close(limit))
}

// stopLimit is how long a deed may take to notice that it is to end.
const stopLimit = 30 * time.Second

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+s.root()+"{$}", s.servePage)
	mux.HandleFunc("GET "+s.root()+"assets/", webpage.Asset)
	mux.HandleFunc("POST "+s.root()+"do", s.serveDeed)
	return s.guard(webpage.Strict(mux))
}

func (s *Server) servePage(w http.ResponseWriter, _ *http.Request) {
	s.page.Serve(w, s.watch.view(s.deeds.list()))
}
