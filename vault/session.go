package vault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
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
	chain   ledger.Chain
	charter ledger.Charter // in force, as far as this machine knows
	vault   ident.CID

	host     *p2p.Host
	shards   *shardrpc.Client
	members  *ledgerrpc.Client
	history  *history
	releases *releases
	leaving  map[ident.CID]bool // segments that members called closing
	index    *index.Index
	heard    []answer[ledger.Heads] // of the last Sync

	begun  map[ident.PublicKey]begunHeight // lanes in which an entry was given up
	proofs map[ident.CID][]ident.Signed    // acks that prove a lane's head final, where its attempt is above 0

	unlock  func()
	later   later
	weights weights  // of the nodes, by the members' audits
	survey  *survey  // nil before the first look around
	joined  bool     // the host looks for others
	accused *accused // of a check under way; nil otherwise
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
	s, err := h.connect(ctx, p, o)
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
func (h Home) connect(ctx context.Context, p Profile, o Options) (*Session, error) {
	first, err := p.charter()
	if err != nil {
		return nil, err
	}
	chain, err := readChain(h.cacheDir(first.ID()), p.Charter)
	if err != nil {
		return nil, err
	}
	charter := chain.Current()
	s := &Session{
		home: h, profile: p, options: o.fill(), chain: chain, charter: charter, vault: charter.ID(),
		begun: map[ident.PublicKey]begunHeight{}, proofs: map[ident.CID][]ident.Signed{},
	}
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
	s.releases = newReleases(h.cacheDir(s.vault))
	s.releases.read(s.charterNamed)
	if s.index, err = s.openIndex(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.readHistory()
	s.learnHolders()
	return s, nil
}

// openIndex opens the cache on disk. While another command has it, this one does
// with an index in memory, which it fills from the nodes.
func (s *Session) openIndex() (*index.Index, error) {
	x, err := index.Open(s.indexConfig())
	if errors.Is(err, index.ErrBusy) {
		return index.Mem(s.lane()), nil
	}
	return x, err
}

func (s *Session) indexConfig() index.Config {
	return index.Config{Dir: s.home.Cache, Vault: s.vault, Lane: s.lane()}
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
// constitution, as it is in force; Created when the first one was made; Rights what this device
// may do.
func (s *Session) Vault() ident.CID        { return s.vault }
func (s *Session) Name() string            { return s.profile.Name }
func (s *Session) Charter() ledger.Charter { return s.charter }
func (s *Session) Created() time.Time      { return ledger.Time(s.chain.First().Created) }
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

// Bounds on the charters that are shown to a holder: bytes, and number. One that is shown
// the first alone knows the others, or asks members for them.
const (
	maxShown         = 2 << 20
	maxShownCharters = 63 // besides the first
)

func (s *Session) credential() shardrpc.Credential {
	c := shardrpc.Credential{Charter: s.profile.Charter, Grant: s.profile.Grant}
	size := 0
	for _, next := range s.chain.Charters()[1:] {
		size += len(next.Object)
		c.Successors = append(c.Successors, next)
	}
	if size > maxShown || len(c.Successors) > maxShownCharters {
		c.Successors = nil
	}
	return c
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
	return s.allowed()
}

// reader opens what the vault holds. The caller closes it.
func (s *Session) reader(counters *object.Counters) *object.Reader {
	return s.readerOver(counters, s.holder)
}

func (s *Session) readerOver(counters *object.Counters, holder func(ident.PublicKey) shardrpc.Holder) *object.Reader {
	return object.NewReader(s.readerConfig(counters, holder))
}

func (s *Session) readerConfig(counters *object.Counters, holder func(ident.PublicKey) shardrpc.Holder) object.ReaderConfig {
	return object.ReaderConfig{
		Keys: s.profile.Keys, Identities: append(s.profile.Identities, s.profile.Index),
		Places: s.index.Places, Locate: s.locate, Holder: holder, Counters: counters,
		Fault: func(node ident.PublicKey, ref shardrpc.Ref, err error) {
			s.options.Log.Debug("a holder failed", "node", node.String(), "shard", ref.String(), "error", err)
			if errors.Is(err, shardrpc.ErrLied) || errors.Is(err, shardrpc.ErrCorrupt) {
				s.warn("node %s gave bad bytes for shard %d of segment %.8s; other shards are used", node.Short(), ref.Index, ref.Segment.Hex())
			}
		},
		FalsePlace: s.accuse, IllCoded: s.reportIllCoded,
	}
}

// reportIllCoded names the lane whose segment does not decode, although each row is what
// its descriptor says. It may be called by several goroutines at once.
func (s *Session) reportIllCoded(segment ident.CID) {
	lane := "unknown"
	if seg, ok, err := s.index.Segment(segment); err == nil && ok {
		lane = seg.Lane.Short()
	}
	s.warn("segment %.8s was ill-coded by its writer, lane %s; its data rows are whole, and nothing else can stand for them", segment.Hex(), lane)
}

// accuse notes that a lane claims a chunk that is not where it says: for a check, or
// with a word to the person. It may be called by several goroutines at once.
func (s *Session) accuse(p index.Place, err error) {
	if s.accused != nil {
		s.accused.note(p, err)
		return
	}
	s.warn("lane %s claims a chunk that segment %.8s does not hold: %v", p.Lane.Short(), p.Segment.Hex(), err)
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
	return older, writeRemembered(path, next)
}

// disremember forgets heads that have turned out to be void: a lane that is shorter
// because of them has not gone back.
func (h Home) disremember(name string, void []Link) error {
	path := filepath.Join(h.vaultDir(name), rememberedName)
	r, err := readRemembered(path)
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(r.Lanes), func(l rememberedLane) bool {
		return slices.ContainsFunc(void, func(v Link) bool { return v.CID == l.Entry })
	})
	if len(kept) == len(r.Lanes) {
		return nil
	}
	r.Lanes = kept
	return writeRemembered(path, r)
}

func writeRemembered(path string, r remembered) error {
	data, err := wire.Encode(r)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(path, data, 0o600)
}
