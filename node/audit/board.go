package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// Board is what a node's audits have found: who decides on repair, on placement, on
// what a person is shown, reads it. It is kept in a file and may be lost: then all of it
// is found again, within days. It is safe for concurrent use.
type Board struct {
	db    *bbolt.DB
	rules Rules

	mu      sync.Mutex
	nodes   map[ident.PublicKey]*reach
	holders map[place]*record
	changed map[place]bool // not in the file yet; the zero vault stands for the node itself
}

// Rules are what a board judges by.
type Rules struct {
	Every       time.Duration // between two questions to a holder
	RepairAfter time.Duration // how long a holder may not serve before it is gone
	Vetting     Vetting
	Now         func() time.Time
}

// place is a holder in a vault.
type place struct {
	vault ident.CID
	node  ident.PublicKey
}

var (
	bucketNodes   = []byte("nodes")   // node -> reach
	bucketHolders = []byte("holders") // vault, node -> record
	bucketDoubts  = []byte("doubts")  // vault, node, shard -> doubt
	bucketMissing = []byte("missing") // vault, node, shard -> absence
)

// OpenBoard opens the board at path. A damaged one is put aside for an empty one.
func OpenBoard(path string, rules Rules) (*Board, error) {
	b, err := tryBoard(path, rules)
	if err == nil || errors.Is(err, bolterrors.ErrTimeout) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if err := os.Rename(path, path+".damaged"); err != nil {
		return nil, fmt.Errorf("put damaged board aside: %w", err)
	}
	return tryBoard(path, rules)
}

func tryBoard(path string, rules Rules) (*Board, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 5 * time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, fmt.Errorf("open board: %w", err)
	}
	b := &Board{db: db, rules: rules, nodes: map[ident.PublicKey]*reach{}, holders: map[place]*record{}, changed: map[place]bool{}}
	if err := db.Update(b.load); err != nil {
		return nil, errors.Join(fmt.Errorf("open board: %w", err), db.Close())
	}
	return b, nil
}

func (b *Board) load(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketNodes, bucketHolders, bucketDoubts, bucketMissing} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	err := tx.Bucket(bucketNodes).ForEach(func(k, v []byte) error {
		node, err := ident.PublicKeyFromBytes(k)
		if err != nil {
			return err
		}
		b.nodes[node] = new(reach)
		return wire.Decode(v, b.nodes[node])
	})
	if err != nil {
		return err
	}
	err = tx.Bucket(bucketHolders).ForEach(func(k, v []byte) error {
		at, err := parsePlace(k)
		if err != nil {
			return err
		}
		b.holders[at] = new(record)
		return wire.Decode(v, b.holders[at])
	})
	if err != nil {
		return err
	}
	return b.recount(tx)
}

// recount counts what is missing: rows are written at once, and records behind them.
func (b *Board) recount(tx *bbolt.Tx) error {
	for _, v := range b.holders {
		v.Missing = 0
	}
	return tx.Bucket(bucketMissing).ForEach(func(k, v []byte) error {
		e, err := parseEntry(k, v)
		if err != nil {
			return err
		}
		if b.holders[e.at] == nil {
			fresh := newRecord()
			b.holders[e.at] = &fresh
		}
		if a, ok := parseAbsence(e.value); ok && !a.promised() {
			b.holders[e.at].Missing++
		}
		return nil
	})
}

// Close writes what was not written, and closes the file.
func (b *Board) Close() error { return errors.Join(b.Flush(), b.db.Close()) }

// Flush writes what has changed. What is lost without it is found again.
func (b *Board) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.changed) == 0 {
		return nil
	}
	err := b.db.Update(func(tx *bbolt.Tx) error {
		for at := range b.changed {
			if err := b.write(tx, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write board: %w", err)
	}
	clear(b.changed)
	return nil
}

func (b *Board) write(tx *bbolt.Tx, at place) error {
	bucket, key, value := bucketHolders, at.key(), any(b.holders[at])
	if !at.vault.Defined() {
		bucket, key, value = bucketNodes, at.node.Bytes(), b.nodes[at.node]
	}
	p, err := wire.Encode(value)
	if err != nil {
		return err
	}
	return tx.Bucket(bucket).Put(key, p)
}

// reach returns a node's, for a caller that holds the lock and may change it.
func (b *Board) reach(node, operator ident.PublicKey) *reach {
	r := b.nodes[node]
	if r == nil {
		fresh := newReach(operator, b.rules.Now())
		r = &fresh
		b.nodes[node] = r
	}
	if !operator.IsZero() {
		r.Operator = operator
	}
	b.changed[place{node: node}] = true
	return r
}

// record returns a holder's, for a caller that holds the lock and may change it.
func (b *Board) record(at place) *record {
	v := b.holders[at]
	if v == nil {
		fresh := newRecord()
		v = &fresh
		b.holders[at] = v
	}
	b.changed[at] = true
	return v
}

// Seen says that a node was met by other ways than audits, and reports whether it was
// suspect: then it should be asked again soon. That alone makes it no better: who
// greets and answers no audit becomes gone.
func (b *Board) Seen(node ident.PublicKey, t time.Time) (suspect bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.nodes[node]
	return r != nil && r.Last == Silent && ledger.Millis(t) >= r.Asked
}

// Announced takes in what a node says of itself: that it will be away until a time, that
// it drains, or nothing of the kind. It is believed for a week at most, and counted from
// the first such word: who is away for longer is asked for like others.
func (b *Board) Announced(node ident.PublicKey, state ledger.HolderState, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.rules.Now()
	old := b.nodes[node]
	if old == nil {
		return // no holder, as far as this node has asked
	}
	away, left := int64(0), int64(0)
	if state == ledger.HolderAway {
		left = ledger.Millis(now)
		if old.Left > 0 && old.Left < left {
			left = old.Left
		}
		away = min(millis(until), left+MaxAway.Milliseconds())
	}
	draining := state == ledger.HolderDraining
	if old.Away == away && old.Left == left && old.Draining == draining {
		return
	}
	r := b.reach(node, ident.PublicKey{})
	if (r.Left > 0) != (left > 0) || r.Draining != draining {
		r.Since = ledger.Millis(now)
	}
	r.Away, r.Left, r.Draining = away, left, draining
}

// MaxAway is how long a holder may be away in advance.
const MaxAway = 7 * 24 * time.Hour

// Transfer says how a transfer of a shard to or from a node went.
func (b *Board) Transfer(node ident.PublicKey, good bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.reach(node, ident.PublicKey{})
	r.Moved = towards(r.Moved, good, transferStep)
}

// key is the place as it stands in the file.
func (at place) key() []byte { return append(at.vault.Bytes(), at.node[:]...) }

const placeSize = ident.CIDSize + len(ident.PublicKey{})

var errBoard = errors.New("the board of audits is damaged")

func parsePlace(k []byte) (at place, err error) {
	if len(k) < placeSize {
		return at, errBoard
	}
	at.vault, err = ident.CIDFromBytes(k[:ident.CIDSize])
	at.node = ident.PublicKey(k[ident.CIDSize:placeSize])
	return at, err
}
