package member

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// A member signs for a vault under a vote key that is for that vault alone. Such a key
// is a file beside the database, <ledger>/keys/<public key in hex>, so that it is lost
// with the locks that it must not outlive. It is made when somebody asks for it, waits
// until a charter names it, and is destroyed when the charter after that is ready.

const (
	keysName = "keys"
	// MaxPendingKeys is how many keys wait for a charter.
	MaxPendingKeys = 1024
	// PendingKey is how long a key waits for a vault that is to be created.
	PendingKey = 24 * time.Hour
	// PendingKeyOfVault is how long a key waits for a charter of a vault that exists:
	// longer than a request for that charter can be open.
	PendingKeyOfVault = 100 * 24 * time.Hour

	keyFileVersion = 1
	maxKeyFile     = 1 << 10
)

// keyFile is the content of a key's file.
type keyFile struct {
	V     uint64    `cbor:"v"`
	Vault ident.CID `cbor:"vault,omitzero"` // none for one that is to be created
	Nonce [16]byte  `cbor:"nonce"`
	Made  int64     `cbor:"made"` // ms
	Seed  [32]byte  `cbor:"seed"`
}

// voteKey is a key that waits for a charter, or that one names.
type voteKey struct {
	key     ident.PrivateKey
	vault   ident.CID
	nonce   [16]byte
	made    time.Time
	pending bool
}

// keyring is the vote keys that are in files.
type keyring struct {
	dir string
	mu  sync.Mutex
	all map[ident.PublicKey]voteKey
}

// openKeys reads the folder. Every key is pending until a charter that names it is
// read: see used.
func openKeys(dir string) (*keyring, error) {
	r := &keyring{dir: filepath.Join(dir, keysName), all: map[ident.PublicKey]voteKey{}}
	entries, err := os.ReadDir(r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !isHex(e.Name()) {
			continue
		}
		k, err := readKey(filepath.Join(r.dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read vote key %.8s: %w", e.Name(), err)
		}
		r.all[k.key.Public()] = k
	}
	return r, nil
}

func readKey(path string) (voteKey, error) {
	p, err := readFile(path, maxKeyFile)
	if err != nil {
		return voteKey{}, err
	}
	var f keyFile
	if err := wire.DecodeVersion(p, keyFileVersion, &f); err != nil {
		return voteKey{}, fmt.Errorf("%w: not a key file", ErrCorrupt)
	}
	return voteKey{ident.NewPrivateKey(f.Seed), f.Vault, f.Nonce, ledger.Time(f.Made), true}, nil
}

func (r *keyring) path(public ident.PublicKey) string {
	return filepath.Join(r.dir, fmt.Sprintf("%x", public[:]))
}

// get returns a key that is here.
func (r *keyring) get(public ident.PublicKey) (ident.PrivateKey, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.all[public]
	return k.key, ok
}

// waiting returns a key that waits for a charter of a vault, the newest of several.
func (r *keyring) waiting(vault ident.CID) (key ident.PrivateKey, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var made time.Time
	for _, k := range r.all {
		if k.pending && k.vault == vault && (!ok || k.made.After(made)) {
			key, made, ok = k.key, k.made, true
		}
	}
	return key, ok
}

// used notes that a charter names keys: they wait no longer, and stay until they are
// destroyed.
func (r *keyring) used(ch ledger.Charter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range ch.Members {
		if k, ok := r.all[m.Vote]; ok {
			k.pending = false
			r.all[m.Vote] = k
		}
	}
}

// ask returns the key that waits under a nonce, or a new one that is on the disk.
func (r *keyring) ask(vault ident.CID, nonce [16]byte, now time.Time) (ident.PrivateKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pending := 0
	for public, k := range r.all {
		switch {
		case !k.pending:
		case k.expired(now):
			if err := r.remove(public); err != nil {
				return ident.PrivateKey{}, err
			}
		case k.vault == vault && k.nonce == nonce:
			return k.key, nil
		default:
			pending++
		}
	}
	if pending >= MaxPendingKeys {
		return ident.PrivateKey{}, fmt.Errorf("%w: %d vote keys wait", ErrFull, pending)
	}
	key, err := ident.GenerateKey(rand.Reader)
	if err == nil {
		err = r.write(key, vault, nonce, now)
	}
	if err != nil {
		return ident.PrivateKey{}, fmt.Errorf("make vote key: %w", err)
	}
	r.all[key.Public()] = voteKey{key, vault, nonce, now, true}
	return key, nil
}

func (k voteKey) expired(now time.Time) bool {
	limit := PendingKey
	if k.vault.Defined() {
		limit = PendingKeyOfVault
	}
	return now.Sub(k.made) > limit
}

func (r *keyring) write(key ident.PrivateKey, vault ident.CID, nonce [16]byte, now time.Time) error {
	p, err := wire.Encode(keyFile{keyFileVersion, vault, nonce, ledger.Millis(now), key.Seed()})
	if err != nil {
		return err
	}
	if err := makeDir(r.dir); err != nil {
		return err
	}
	return atomicfile.WriteFile(r.path(key.Public()), p, 0o600)
}

// destroy makes a key unusable for ever; one that is not here is no error.
func (r *keyring) destroy(public ident.PublicKey) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.all[public]; !ok {
		return nil
	}
	return r.remove(public)
}

// remove overwrites a key's file, flushes it, and removes it. The caller holds the
// lock. What a file system or a disk keeps of old blocks is out of reach.
func (r *keyring) remove(public ident.PublicKey) error {
	f, err := os.OpenFile(r.path(public), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.Write(make([]byte, maxKeyFile))
		err = errors.Join(err, f.Sync(), f.Close(), os.Remove(r.path(public)), atomicfile.SyncDir(r.dir))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("destroy vote key: %w", err)
	}
	delete(r.all, public)
	return nil
}

// Key returns this node's word for a vote key of its own for a vault, signed with its
// certificate's vote key. The key is on the disk. The same nonce gets the same key
// while it waits; a key that no charter names in time is destroyed.
func (s *Store) Key(vault ident.CID, nonce [16]byte) (ident.Signed, error) {
	now := s.cfg.Now()
	key, err := s.keys.ask(vault, nonce, now)
	if err != nil {
		return ident.Signed{}, err
	}
	return ledger.SignMemberKey(s.cfg.Vote, ledger.MemberKey{
		Vault: vault, Nonce: nonce, Operator: s.cfg.Operator, Node: s.cfg.Node, Vote: key.Public(), Clock: ledger.Millis(now),
	})
}

// keyOf returns the key with which this node signs under a charter: false if it is
// no member of it, or its key is not here.
func (s *Store) keyOf(ch ledger.Charter) (ident.PrivateKey, bool) {
	m, ok := ch.Member(s.cfg.Operator)
	if !ok || m.Node != s.cfg.Node {
		return ident.PrivateKey{}, false
	}
	if m.Vote == s.cfg.Vote.Public() {
		return s.cfg.Vote, true
	}
	return s.keys.get(m.Vote)
}
