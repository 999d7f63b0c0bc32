package vault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
	"holdfast/vault/index"
	"holdfast/vault/object"
)

// Options are what the program around a session decides.
type Options struct {
	Now       func() time.Time // time.Now if nil
	Log       *slog.Logger     // silent if nil
	Warn      func(string)     // told of what a person should know; may be nil
	Bootstrap []string         // more addresses than the profile has
}

// Session is one open vault: a profile, a place in the network, and this machine's
// view of the ledger. It is used by one goroutine at a time, except where a method
// says otherwise.
type Session struct {
	home    Home
	profile Profile
	options Options
	charter ledger.Charter
	vault   ident.CID

	host    *p2p.Host
	shards  *shardrpc.Client
	members *ledgerrpc.Client
	history *history
	index   *index.Index
	heard   []answer[ledger.Heads] // of the last Sync

	operators map[ident.PublicKey]ident.PublicKey // node -> operator, of all holders that entries name
	unlock    func()
	later     later
	survey    *survey // nil before the first look around
	joined    bool    // the host looks for others
}

// ErrNoRight says that the device's grant does not cover what was asked.
var ErrNoRight = errors.New("this device has no right to do that")

// Open opens the vault that this machine calls name. It speaks to nobody yet but the
// bootstrap addresses; Sync does.
func (h Home) Open(ctx context.Context, name string, o Options) (*Session, error) {
	p, err := h.Load(name)
	if err != nil {
		return nil, err
	}
	charter, err := p.charter()
	if err != nil {
		return nil, fmt.Errorf("open vault %s: %w", name, err)
	}
	s, err := h.connect(ctx, p, charter, o)
	if err != nil {
		return nil, fmt.Errorf("open vault %s: %w", name, err)
	}
	return s, nil
}

func (o Options) fill() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	return o
}

// connect makes the host and the clients, and reads the cache.
func (h Home) connect(ctx context.Context, p Profile, charter ledger.Charter, o Options) (*Session, error) {
	s := &Session{
		home: h, profile: p, options: o.fill(), charter: charter, vault: charter.ID(),
		operators: map[ident.PublicKey]ident.PublicKey{},
	}
	var err error
	s.host, err = p2p.New(ctx, p2p.Config{
		Key: p.Device, Network: charter.Network, Bootstrap: append(o.Bootstrap, p.Bootstrap...),
		Now: s.options.Now, Log: s.options.Log,
	})
	if err != nil {
		return nil, err
	}
	network := rpc.Over[p2p.Stream](s.host)
	s.shards = shardrpc.NewClient(network, shardrpc.Limits{})
	s.members = ledgerrpc.NewClient(network, ledgerrpc.Limits{})
	s.history = newHistory(h.cacheDir(s.vault))
	if s.index, err = s.openIndex(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.readHistory()
	return s, nil
}

// openIndex opens the cache on disk. While another command has it, this one does
// with an index in memory, which it fills from the nodes.
func (s *Session) openIndex() (*index.Index, error) {
	x, err := index.Open(index.Config{Dir: s.home.Cache, Vault: s.vault, Lane: s.lane()})
	if errors.Is(err, index.ErrBusy) {
		return index.Mem(s.lane()), nil
	}
	return x, err
}

// Close ends the session. What was acknowledged stays.
func (s *Session) Close() error {
	var err error
	s.settle()
	s.stopLooking()
	if s.history != nil && s.history.unwritten >= summaryEvery {
		s.writeSummary()
	}
	if s.unlock != nil {
		s.unlock()
	}
	if s.index != nil {
		err = s.index.Close()
	}
	if s.shards != nil {
		s.shards.Close()
	}
	if s.members != nil {
		s.members.Close()
	}
	return errors.Join(err, s.host.Close())
}

// Vault returns the vault's ID; Name what this machine calls it; Charter its
// constitution; Rights what this device may do.
func (s *Session) Vault() ident.CID        { return s.vault }
func (s *Session) Name() string            { return s.profile.Name }
func (s *Session) Charter() ledger.Charter { return s.charter }
func (s *Session) Device() ident.PublicKey { return s.profile.Device.Public() }

// Rights returns what the device's own grant says.
func (s *Session) Rights() ledger.Rights {
	g, err := ledger.VerifyGrant(s.profile.Grant, s.charter.Owner, s.vault)
	if err != nil {
		return ""
	}
	return g.Rights
}

func (s *Session) lane() ident.PublicKey { return s.profile.Device.Public() }

func (s *Session) credential() shardrpc.Credential {
	return shardrpc.Credential{Charter: s.profile.Charter, Grant: s.profile.Grant}
}

func (s *Session) warn(format string, args ...any) {
	s.options.Warn(fmt.Sprintf(format, args...))
}

// holder returns one node's shelf as this device sees it.
func (s *Session) holder(node ident.PublicKey) shardrpc.Holder {
	return s.shards.Holder(node, s.vault, s.credential())
}

// needRead fails on a device that may only add.
func (s *Session) needRead() error {
	if len(s.profile.Identities) == 0 {
		return fmt.Errorf("%w: it may add and not read", ErrNoRight)
	}
	return nil
}

// reader opens what the vault holds. The caller closes it.
func (s *Session) reader(counters *object.Counters) *object.Reader {
	return s.readerOver(counters, s.holder)
}

func (s *Session) readerOver(counters *object.Counters, holder func(ident.PublicKey) shardrpc.Holder) *object.Reader {
	return object.NewReader(object.ReaderConfig{
		Keys: s.profile.Keys, Identities: append(s.profile.Identities, s.profile.Index),
		Places: s.index.Places, Locate: s.locate, Holder: holder, Counters: counters,
		Fault: func(node ident.PublicKey, ref shardrpc.Ref, err error) {
			s.options.Log.Debug("a holder failed", "node", node.String(), "shard", ref.String(), "error", err)
			if errors.Is(err, shardrpc.ErrLied) || errors.Is(err, shardrpc.ErrCorrupt) {
				s.warn("node %s gave bad bytes for shard %d of segment %.8s; other shards are used", node.Short(), ref.Index, ref.Segment.Hex())
			}
		},
		FalsePlace: func(p index.Place, err error) {
			s.warn("lane %s claims a chunk that segment %.8s does not hold: %v", p.Lane.Short(), p.Segment.Hex(), err)
		},
	})
}

// rememberedName is the file in the profile that a rollback is noticed by.
const rememberedName = "heads"

// remember compares heads with what this machine saw before, and keeps the higher
// ones. It returns the lanes that have gone back.
func (h Home) remember(name string, heads map[ident.PublicKey]Link) (older []string, err error) {
	path := filepath.Join(h.vaultDir(name), rememberedName)
	old, err := readRemembered(path)
	if err != nil {
		return nil, err
	}
	next := remembered{V: 1}
	seen := map[ident.PublicKey]bool{}
	changed := false
	for _, r := range old.Lanes {
		seen[r.Lane] = true
		head, ok := heads[r.Lane]
		switch {
		case !ok || head.Entry.Height < r.Height:
			older = append(older, r.Lane.String())
		case head.Entry.Height > r.Height:
			r.Height, r.Entry, changed = head.Entry.Height, head.CID, true
		case head.CID != r.Entry:
			return nil, fmt.Errorf("lane %s at height %d: %w", r.Lane.Short(), r.Height, ErrFork)
		}
		next.Lanes = append(next.Lanes, r)
	}
	for lane, head := range heads {
		if !seen[lane] {
			next.Lanes = append(next.Lanes, rememberedLane{lane, head.Entry.Height, head.CID})
			changed = true
		}
	}
	if !changed {
		return older, nil
	}
	data, err := wire.Encode(next)
	if err != nil {
		return older, err
	}
	return older, atomicfile.WriteFile(path, data, 0o600)
}
