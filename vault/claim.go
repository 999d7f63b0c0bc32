package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/rpc"
	"holdfast/seal"
)

// What can be wrong with words.
var (
	ErrWrongWords  = errors.New("wrong words")
	ErrManyVaults  = errors.New("the words open several vaults")
	errNothingHere = errors.New("no member of a vault with this owner answers")
)

// Claim is how a machine that has nothing but a kit comes to a profile.
type Claim struct {
	Kit       Kit
	Name      string // on this machine; the kit's name, or "recovered", if empty
	Vault     ident.CID
	Bootstrap []string
	Device    string
	Rights    ledger.Rights
	Options   Options
	Enrol     bool          // record the device in the owner's lane (needs a quorum)
	Life      time.Duration // of the grant; 0 for ever
}

// Claimed is what was found.
type Claimed struct {
	Profile  Profile
	Charter  ledger.Charter
	Standing Standing
}

// Claim finds the vault that the words own, verifies it from the charter on, and
// makes a profile for this machine. With the vault's ID, words that do not derive the
// charter's owner key are ErrWrongWords; without it, no vault found can mean wrong
// words or a network without it, and the error says so.
func (h Home) Claim(ctx context.Context, c Claim) (Claimed, error) {
	c.Options = c.Options.fill()
	if !c.Vault.Defined() {
		c.Vault = c.Kit.Vault
	}
	name, err := h.claimName(c)
	if err != nil {
		return Claimed{}, err
	}
	key, index, err := newDevice()
	if err != nil {
		return Claimed{}, err
	}
	bootstrap := append(c.Bootstrap, c.Kit.Bootstrap...)
	host, err := joinNetwork(ctx, key, c.Kit.Network, bootstrap, c.Options)
	if err != nil {
		return Claimed{}, fmt.Errorf("join network: %w", err)
	}
	f := finder{host: host, client: ledgerrpc.NewClient(rpc.Over[p2p.Stream](host), ledgerrpc.Limits{}), owner: c.Kit.Entropy.OwnerKey().Public()}
	signed, nodes, err := f.find(ctx, c.Vault)
	f.client.Close()
	if err := errors.Join(err, host.Close()); err != nil {
		return Claimed{}, fmt.Errorf("find vault: %w", err)
	}
	p := Profile{Name: name, Device: key, Index: index, Charter: signed, Bootstrap: bootstrap}
	return h.claim(ctx, c, p, nodes)
}

func (h Home) claimName(c Claim) (string, error) {
	name := c.Name
	if name == "" {
		name = c.Kit.Name
	}
	if name == "" {
		name = "recovered"
	}
	if err := CheckName(name); err != nil {
		return "", err
	}
	if _, err := os.Stat(h.vaultDir(name)); err == nil {
		return "", fmt.Errorf("%w: %s", ErrExists, name)
	}
	return name, nil
}

// claim makes the profile and looks at the vault through it.
func (h Home) claim(ctx context.Context, c Claim, p Profile, nodes []p2p.Node) (Claimed, error) {
	charter, err := ledger.VerifyFirstCharter(p.Charter)
	if err != nil {
		return Claimed{}, err
	}
	p.Vault = charter.ID()
	p.addBootstrap(memberAddrs(charter, nodes))
	if p.Grant, err = grantFor(c.Kit.Entropy, charter, p, c.Device, c.Rights, c.Options.Now(), c.Life); err != nil {
		return Claimed{}, err
	}
	if err := p.takeKeys(c.Kit.Entropy, charter, c.Rights); err != nil {
		return Claimed{}, err
	}
	if err := h.reserve(p.Name); err != nil {
		return Claimed{}, err
	}
	out, err := h.enter(ctx, c, p)
	if err != nil {
		return out, errors.Join(err, os.RemoveAll(h.vaultDir(p.Name)))
	}
	return out, nil
}

func (h Home) enter(ctx context.Context, c Claim, p Profile) (Claimed, error) {
	if err := h.Save(p); err != nil {
		return Claimed{}, err
	}
	s, err := h.connect(ctx, p, c.Options)
	if err != nil {
		return Claimed{}, err
	}
	defer s.Close()
	st, err := s.Sync(ctx)
	if err != nil {
		return Claimed{}, err
	}
	// The charter in force may have another recipient than the first.
	if err := s.profile.takeKeys(c.Kit.Entropy, s.charter, c.Rights); err != nil {
		return Claimed{}, err
	}
	if err := h.Save(s.profile); err != nil {
		return Claimed{}, err
	}
	if c.Enrol {
		if _, err := s.enrol(ctx, c.Kit.Entropy.OwnerKey(), p.Grant); err != nil {
			return Claimed{}, err
		}
	}
	return Claimed{Profile: s.profile, Charter: s.charter, Standing: st}, nil
}

// finder looks for the vault of an owner.
type finder struct {
	host   *p2p.Host
	client *ledgerrpc.Client
	owner  ident.PublicKey
}

// find asks the members that the DHT knows, and, because the DHT is only a hint,
// every node that can be found.
func (f finder) find(ctx context.Context, vault ident.CID) (ident.Signed, []p2p.Node, error) {
	nodes, err := f.host.Nodes(ctx)
	if err != nil && len(nodes) == 0 {
		return ident.Signed{}, nil, fmt.Errorf("%w: %w", ErrNetwork, err)
	}
	if vault.Defined() {
		signed, err := f.byVault(ctx, vault, nodes)
		return signed, nodes, err
	}
	signed, err := f.byOwner(ctx, nodes)
	return signed, nodes, err
}

// byVault fetches a charter by its CID: nobody can show another one. Then the words
// decide.
func (f finder) byVault(ctx context.Context, vault ident.CID, nodes []p2p.Node) (ident.Signed, error) {
	found := f.ask(ctx, nodes, func(ctx context.Context, m *ledgerrpc.Member) ([]ident.Signed, error) {
		return m.Charters(ctx, vault)
	})
	signed, err := f.first(ctx, vault, found)
	if err != nil {
		return signed, err
	}
	charter, err := ledger.VerifyFirstCharter(signed)
	if err != nil {
		return signed, err
	}
	if charter.Owner != f.owner {
		return signed, fmt.Errorf("%w: they are not those of vault %s", ErrWrongWords, vault)
	}
	return signed, nil
}

// first returns the charter that the vault is called by: one that was found, or else
// the one in the DHT's hint. A node that shows it with a false signature hides
// nothing.
func (f finder) first(ctx context.Context, vault ident.CID, found []ident.Signed) (ident.Signed, error) {
	for _, s := range found {
		if s.CID() != vault {
			continue
		}
		if _, err := ledger.VerifyFirstCharter(s); err == nil {
			return s, nil
		}
	}
	hint, err := f.host.GetHint(ctx, vault)
	if err != nil {
		return ident.Signed{}, fmt.Errorf("%w: %s", ErrNoVault, vault)
	}
	return hint.Charter, nil
}

// byOwner asks which vaults the words own. Several are a question to the person.
func (f finder) byOwner(ctx context.Context, nodes []p2p.Node) (ident.Signed, error) {
	id := f.owner.ID()
	if more, err := f.host.FindOwner(ctx, id); err == nil {
		nodes = append(nodes, more...)
	}
	found := f.ask(ctx, nodes, func(ctx context.Context, m *ledgerrpc.Member) ([]ident.Signed, error) {
		return m.Vaults(ctx, id)
	})
	var own []ident.Signed
	names := ""
	for _, signed := range found {
		c, err := ledger.VerifyFirstCharter(signed)
		if err != nil || c.Owner != f.owner || slices.ContainsFunc(own, func(s ident.Signed) bool { return s.CID() == c.ID() }) {
			continue
		}
		own = append(own, signed)
		names += " " + c.ID().String()
	}
	switch len(own) {
	case 0:
		return ident.Signed{}, fmt.Errorf("%w: %w: the words may be wrong, or the network is not the one", ErrNoVault, errNothingHere)
	case 1:
		return own[0], nil
	}
	return ident.Signed{}, fmt.Errorf("%w:%s", ErrManyVaults, names)
}

// ask asks all nodes at once for charters. What they show is not verified: one
// charter may be there with several signatures, none of them twice.
func (f finder) ask(ctx context.Context, nodes []p2p.Node, question func(context.Context, *ledgerrpc.Member) ([]ident.Signed, error)) []ident.Signed {
	answers := askNodes(ctx, nodes, func(ctx context.Context, node ident.PublicKey) ([]ident.Signed, error) {
		return question(ctx, f.client.Member(node, ident.Signed{}))
	})
	type shown struct {
		charter   ident.CID
		signature ident.Signature
	}
	seen := map[shown]bool{}
	var found []ident.Signed
	for _, a := range answers {
		if a.Err != nil {
			continue
		}
		for _, s := range a.Value {
			if is := (shown{s.CID(), s.Signature}); !seen[is] {
				seen[is] = true
				found = append(found, s)
			}
		}
	}
	return found
}

// Words derives what only the owner's words can; it is how a verb that needs the
// owner proves that it has them.
func (s *Session) Words(e seal.Entropy) error {
	if e.OwnerKey().Public() != s.charter.Owner {
		return fmt.Errorf("%w: they are not those of this vault", ErrWrongWords)
	}
	return nil
}
