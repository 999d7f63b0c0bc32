package node

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"holdfast/internal/atomicfile"
	"holdfast/internal/bg"
	"holdfast/store"
)

// This file holds the rule of how a node reads its own volumes through, so that rot is
// found before the shard is needed.
//
// SPEC: scrub reads everything on the volume once in scrub_every, within scrub_rate; a
// cursor on the volume; bad copies go to quarantine, and into the board as missing at
// once.

const (
	defaultScrub = 30 * 24 * time.Hour
	leastScrub   = 8 << 20 // bytes in a second, if nothing is configured

	scrubName  = "scrub.json"
	scrubLimit = 4 << 10
	scrubPage  = 64 // shards between two looks at the cursor
)

// ScrubStatus is how far a node has read its own shards through.
type ScrubStatus struct {
	Started  time.Time `json:"started,omitzero"`  // of the pass under way, or the last one
	Finished time.Time `json:"finished,omitzero"` // of the last complete pass
	Running  bool      `json:"running"`
	Progress float64   `json:"progress"` // of the pass under way, 0 to 1
	Shards   int64     `json:"shards"`   // read by this pass
	Bytes    int64     `json:"bytes"`
	Bad      int64     `json:"bad"`     // of these, corrupt or gone
	Skipped  int64     `json:"skipped"` // not read, because a volume was not there or the disk failed
}

// scrubMark is the content of the file on the volume: where the pass is.
type scrubMark struct {
	ScrubStatus
	Cursor string `json:"cursor,omitempty"` // hexadecimal: the last shard that was read
}

// scrub reads all shards, one after another.
type scrub struct {
	volume *volume
	every  time.Duration
	rate   int64 // bytes in a second; 0 for the default
	now    clock
	log    *slog.Logger
	loop   *bg.Loop

	mu    sync.Mutex
	mark  scrubMark
	known bool // the mark was read from the volume
	again bool // a pass is asked for now
}

func (s *scrub) start() *scrub {
	s.loop = bg.NewLoop("read the volumes through", min(s.every, time.Hour), s.run, bg.Jitter(min(s.every, time.Hour)/8), bg.Log(s.log))
	return s
}

// hurry asks for a pass now, or, while one is under way, right after it.
func (s *scrub) hurry() {
	s.mu.Lock()
	s.again = true
	s.mu.Unlock()
	s.loop.Trigger()
}

// run goes on with the pass that was begun, or begins one that is due.
func (s *scrub) run(ctx context.Context) error {
	if err := s.recall(ctx); err != nil || !s.begin() {
		return ignorePaused(err)
	}
	for {
		more, err := s.page(ctx)
		if err != nil || !more {
			return ignorePaused(err)
		}
	}
}

// ignorePaused leaves it to others to say that a volume is not there.
func ignorePaused(err error) error {
	if errors.Is(err, store.ErrPaused) {
		return nil
	}
	return err
}

// recall reads the mark, once. One that cannot be understood is as good as none.
func (s *scrub) recall(ctx context.Context) error {
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	if known {
		return nil
	}
	return s.volume.use(ctx, func(p *parts) error {
		text, err := readSmall(filepath.Join(p.dir, scrubName), scrubLimit)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read %s: %w", scrubName, err)
		}
		var m scrubMark
		if json.Unmarshal(text, &m) != nil {
			m = scrubMark{}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.known { // a status and the loop may have read it side by side
			s.mark, s.known = m, true
		}
		return nil
	})
}

// begin reports whether a pass is under way, after it has begun one that is due.
func (s *scrub) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mark.Running {
		return true
	}
	now := s.now()
	if passed := now.Sub(s.mark.Started); !s.again && !s.mark.Started.IsZero() && passed >= 0 && passed < s.every {
		return false
	}
	s.again = false
	s.mark = scrubMark{ScrubStatus: ScrubStatus{Started: now, Finished: s.mark.Finished, Running: true}}
	return true
}

// page reads some shards more, and writes down how far that was.
func (s *scrub) page(ctx context.Context) (more bool, err error) {
	var keys []store.Key
	var next store.Key
	err = s.volume.use(ctx, func(p *parts) (err error) {
		keys, next, err = p.book.page(s.cursor(), scrubPage, func(r record) bool { return !r.Trashed })
		return err
	})
	if err != nil {
		return false, err
	}
	for _, key := range keys {
		if err := s.read(ctx, key); err != nil {
			return false, err
		}
	}
	s.move(next)
	return next.Vault.Defined(), s.write(ctx)
}

// cursor is the shard behind which the pass goes on; zero at the beginning.
func (s *scrub) cursor() store.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := hex.DecodeString(s.mark.Cursor)
	if err != nil || len(p) == 0 {
		return store.Key{}
	}
	key, err := decodeShardKey(p)
	if err != nil {
		return store.Key{}
	}
	return key
}

// move sets the cursor; zero ends the pass.
func (s *scrub) move(next store.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark.Cursor = ""
	if next.Vault.Defined() {
		s.mark.Cursor = hex.EncodeToString(encodeShardKey(next))
		return
	}
	s.mark.Running, s.mark.Finished, s.mark.Progress = false, s.now(), 1
	s.log.Info("the volumes were read through", "shards", s.mark.Shards, "bytes", s.mark.Bytes, "bad", s.mark.Bad, "skipped", s.mark.Skipped)
}

func (s *scrub) write(ctx context.Context) error {
	return s.volume.use(ctx, func(p *parts) error {
		u, err := p.shelf.Usage(ctx)
		if err != nil {
			return err
		}
		s.mu.Lock()
		if s.mark.Running && u.Used > 0 {
			s.mark.Progress = min(float64(s.mark.Bytes)/float64(u.Used), 1)
		}
		text, err := json.Marshal(s.mark)
		s.mu.Unlock()
		if err != nil {
			return err
		}
		return atomicfile.WriteFile(filepath.Join(p.dir, scrubName), append(text, '\n'), 0o600)
	})
}

// read reads one shard, as slowly as the rate says. A bad copy is put into quarantine and
// reported by the shelf.
func (s *scrub) read(ctx context.Context, key store.Key) error {
	var size, rate int64
	err := s.volume.use(ctx, func(p *parts) error {
		u, err := p.shelf.Usage(ctx)
		if err != nil {
			return err
		}
		rate = scrubRate(s.rate, u, s.every)
		shard, err := p.shelf.Open(ctx, key)
		if err == nil {
			size = shard.Info().Size
			_, err = shard.WriteTo(io.Discard)
			err = errors.Join(err, shard.Close())
		}
		s.count(size, err)
		return nil
	})
	if err != nil {
		return err
	}
	return wait(ctx, time.Duration(float64(size)/float64(rate)*float64(time.Second)))
}

// scrubRate is how many bytes are read in a second: what is configured, or so many that
// a pass takes four fifths of its time, 8 MiB at least.
func scrubRate(configured int64, u store.Usage, every time.Duration) int64 {
	if configured > 0 {
		return configured
	}
	return max(leastScrub, int64(float64(u.Used)*1.25/every.Seconds()))
}

func (s *scrub) count(size int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.mark.Shards, s.mark.Bytes = s.mark.Shards+1, s.mark.Bytes+size
	case errors.Is(err, store.ErrCorrupt), errors.Is(err, store.ErrNotFound):
		s.mark.Shards, s.mark.Bytes, s.mark.Bad = s.mark.Shards+1, s.mark.Bytes+size, s.mark.Bad+1
	default:
		s.mark.Skipped++
	}
}

// status says how far it is, from the mark if no pass has gone on since the start. While
// the volume is not there nothing is known.
func (s *scrub) status(ctx context.Context) ScrubStatus {
	if err := s.recall(ctx); err != nil && !errors.Is(err, store.ErrPaused) {
		s.log.Debug("how far the volumes were read through is not known", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mark.ScrubStatus
}

// wait waits, or returns ctx's error when that ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
