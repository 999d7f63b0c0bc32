package vault

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/placement"
	"holdfast/p2p/rpc"
	"holdfast/seal"
	"holdfast/vault/guardian"
)

// Create says what vault to make.
type Create struct {
	Name      string
	Bootstrap []string
	Network   string            // learned from the bootstrap node if empty
	Code      erasure.Code      // by the number of operators if zero
	Operators []ident.PublicKey // only these; any if empty
	Retention time.Duration
	Cooling   time.Duration
	Trash     time.Duration
	Expiry    ledger.Expiry // none if zero
	Guardians []guardian.Public
	Threshold int    // of the guardians; a majority if zero
	Device    string // what this machine is called
	Rights    ledger.Rights
	Options   Options

	// Confirm is shown what was chosen, and may refuse. Nil agrees.
	Confirm func(Plan) error
	// KeepKit is given the recovery kit before anything is published. When it
	// returns nil the kit must be where a person will find it. It must not be nil.
	KeepKit func(Kit) error
}

// Plan is what a new vault would be.
type Plan struct {
	Network  string
	Code     erasure.Code
	Members  []ledger.Member
	Admitted int      // further operators who may hold shards
	Thin     bool     // fewer operators than shards: some hold more than one
	Law      []string // who would hold more shards of a segment than may be lost together, a line each

	Guardians []guardian.Public
	Threshold int // how many of them recover the key, and approve
}

// ErrDeclined says that a person did not agree.
var ErrDeclined = errors.New("declined")

// maxOperators bounds the members of a vault, by design.md's table of codes.
const maxOperators = 20

// Create makes a vault: it finds nodes, writes the charter, has the members accept
// it, and enrols this machine. When it returns, a quorum keeps the vault's ledger.
func (h Home) Create(ctx context.Context, c Create) (Profile, Plan, error) {
	if err := CheckName(c.Name); err != nil {
		return Profile{}, Plan{}, err
	}
	if _, err := os.Stat(h.vaultDir(c.Name)); err == nil {
		return Profile{}, Plan{}, fmt.Errorf("%w: %s", ErrExists, c.Name)
	}
	if err := c.checkGuardians(); err != nil {
		return Profile{}, Plan{}, fmt.Errorf("create vault: %w", err)
	}
	n, err := h.newVault(ctx, c)
	if err != nil {
		return Profile{}, Plan{}, fmt.Errorf("create vault: %w", err)
	}
	defer n.host.Close()
	if err := n.make(ctx); err != nil {
		return Profile{}, n.plan, fmt.Errorf("create vault: %w", err)
	}
	return n.profile, n.plan, nil
}

// newVault is a vault while it is being made.
type newVault struct {
	Create
	home    Home
	host    *p2p.Host
	entropy seal.Entropy
	plan    Plan
	charter ledger.Charter
	profile Profile
}

// newVault joins the network as the device that will be enrolled.
func (h Home) newVault(ctx context.Context, c Create) (*newVault, error) {
	n := &newVault{Create: c, home: h, profile: Profile{Name: c.Name, Bootstrap: c.Bootstrap}}
	n.Options = c.Options.fill()
	var err error
	if n.profile.Device, n.profile.Index, err = newDevice(); err != nil {
		return nil, err
	}
	if n.entropy, err = seal.NewEntropy(rand.Reader); err != nil {
		return nil, err
	}
	n.host, err = joinNetwork(ctx, n.profile.Device, c.Network, c.Bootstrap, n.Options)
	return n, err
}

// newDevice makes a device's key and its lane's index identity.
func newDevice() (ident.PrivateKey, seal.Identity, error) {
	key, err := ident.GenerateKey(rand.Reader)
	if err != nil {
		return key, seal.Identity{}, err
	}
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return key, seal.Identity{}, err
	}
	id, err := seal.NewIdentity(seed)
	return key, id, err
}

// joinNetwork makes a host that only dials.
func joinNetwork(ctx context.Context, key ident.PrivateKey, network string, bootstrap []string, o Options) (*p2p.Host, error) {
	host, err := p2p.New(ctx, p2p.Config{Key: key, Network: network, Bootstrap: bootstrap, Now: o.Now, Log: o.Log})
	if err != nil {
		return nil, err
	}
	if err := host.Start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrNetwork, err), host.Close())
	}
	return host, nil
}

func (n *newVault) make(ctx context.Context) error {
	nodes, err := n.host.Nodes(ctx)
	if err != nil && len(nodes) == 0 {
		return fmt.Errorf("%w: %w", ErrNetwork, err)
	}
	if err := n.choose(nodes); err != nil {
		return err
	}
	if n.Confirm != nil {
		if err := n.Confirm(n.plan); err != nil {
			return err
		}
	}
	n.askKeys(ctx, nodes)
	signed, err := n.writeCharter()
	if err != nil {
		return err
	}
	if err := n.keepProfile(signed, nodes); err != nil {
		return err
	}
	if err := n.publish(ctx, signed); err != nil {
		return errors.Join(err, os.RemoveAll(n.home.vaultDir(n.Name)))
	}
	return nil
}

// choose picks one node of each operator as a member, at random where an operator
// has several or where there are more operators than a vault takes. A node that has
// announced that it goes takes nothing new, and is not asked.
func (n *newVault) choose(nodes []p2p.Node) error {
	byOperator := map[ident.PublicKey][]p2p.Node{}
	for _, node := range nodes {
		o := node.Certificate.Operator
		if node.StateAt(n.Options.Now()) == p2p.Serving && (len(n.Operators) == 0 || slices.Contains(n.Operators, o)) {
			byOperator[o] = append(byOperator[o], node)
		}
	}
	code := n.Code
	if code == (erasure.Code{}) {
		var err error
		if code, err = erasure.ForOperators(len(byOperator)); err != nil {
			return fmt.Errorf("%w: %d operators found, at least 2 are needed: %w", ErrTooFewNodes, len(byOperator), err)
		}
	}
	if err := code.Check(); err != nil {
		return err
	}
	if missing := placement.MinOperators(code) - len(byOperator); missing > 0 {
		return fmt.Errorf("%w: %d operators found, %d more are needed for %v", ErrTooFewNodes, len(byOperator), missing, code)
	}
	n.plan = Plan{
		Network: n.host.Network(), Code: code, Thin: len(byOperator) < code.N,
		Guardians: n.Guardians, Threshold: n.Threshold,
	}
	n.pickMembers(byOperator)
	return nil
}

func (n *newVault) pickMembers(byOperator map[ident.PublicKey][]p2p.Node) {
	var seed [32]byte
	rand.Read(seed[:]) // never fails: crypto/rand ends the program instead
	var candidates []placement.Candidate
	var certs []ledger.NodeCertificate
	for _, nodes := range byOperator {
		for _, node := range nodes {
			c := node.Certificate
			candidates = append(candidates, placement.Candidate{Node: c.Node, Operator: c.Operator, Zone: c.Zone, Space: max(node.Space, 1), Weight: placement.Full})
			certs = append(certs, c)
		}
	}
	want := min(len(byOperator), maxOperators)
	n.plan.Law = foreseen(n.plan.Code, seed, candidates)
	chosen, _ := placement.Choose(seed, 0, erasure.Code{K: 1, N: max(want, 2)}, candidates)
	taken := map[ident.PublicKey]bool{}
	for _, i := range chosen {
		if i == placement.None || taken[certs[i].Operator] {
			continue
		}
		c := certs[i]
		taken[c.Operator] = true
		n.plan.Members = append(n.plan.Members, ledger.Member{Operator: c.Operator, Name: c.Name, Node: c.Node, Vote: c.Vote, Zone: c.Zone})
	}
	slices.SortFunc(n.plan.Members, func(a, b ledger.Member) int { return a.Operator.Compare(b.Operator) })
	for o := range byOperator {
		if !taken[o] {
			n.charter.Admitted = append(n.charter.Admitted, o)
		}
	}
	slices.SortFunc(n.charter.Admitted, ident.PublicKey.Compare)
	n.plan.Admitted = len(n.charter.Admitted)
}

// foreseen says who will hold too much of a segment, by placing one.
func foreseen(code erasure.Code, seed [32]byte, candidates []placement.Candidate) []string {
	chosen, _ := placement.Choose(seed, 0, code, candidates) // gaps are told of by Thin, and by each commit
	nodes := make([]ident.PublicKey, len(chosen))
	for shard, i := range chosen {
		if i != placement.None {
			nodes[shard] = candidates[i].Node
		}
	}
	return breaches(code, candidates, [][]ident.PublicKey{nodes})
}

// askKeys asks the members for vote keys that are for this vault alone. One that gives
// none signs under the vote key of its certificate.
func (n *newVault) askKeys(ctx context.Context, nodes []p2p.Node) {
	client := ledgerrpc.NewClient(rpc.Over[p2p.Stream](n.host), ledgerrpc.Limits{})
	defer client.Close()
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails: crypto/rand ends the program instead
	certificates := map[ident.PublicKey]ledger.NodeCertificate{}
	for _, node := range nodes {
		certificates[node.Certificate.Node] = node.Certificate
	}
	wait := quorumWait{Enough: len(n.plan.Members), Limit: askLimit}
	for i, a := range gather(ctx, n.plan.Members, wait, func(ctx context.Context, m ledger.Member) (ident.PublicKey, error) {
		signed, err := client.Member(m.Node, ident.Signed{}).Key(ctx, ident.CID{}, nonce)
		if err != nil {
			return ident.PublicKey{}, err
		}
		k, err := ledger.VerifyMemberKey(signed, certificates[m.Node], ident.CID{}, nonce)
		return k.Vote, err
	}) {
		if a.Err != nil {
			n.Options.Warn(fmt.Sprintf("%s gives no vote key of its own for this vault: %v", a.Member.Name, a.Err))
			continue
		}
		n.plan.Members[i].Vote = a.Value
	}
}

// writeCharter fills in and signs the vault's constitution.
func (n *newVault) writeCharter() (ident.Signed, error) {
	c := &n.charter
	if _, err := rand.Read(c.Salt[:]); err != nil {
		return ident.Signed{}, err
	}
	id, err := n.entropy.Identity(c.Salt[:], firstIdentity)
	if err != nil {
		return ident.Signed{}, err
	}
	c.Number, c.Network, c.Owner = 1, n.plan.Network, n.entropy.OwnerKey().Public()
	c.Created = ledger.Millis(n.Options.Now())
	c.Members, c.Code = n.plan.Members, ledger.Code(n.plan.Code)
	c.Retention, c.Cooling, c.Trash = seconds(n.Retention), seconds(n.Cooling), seconds(n.Trash)
	c.Expiry = n.Expiry
	c.Identity, c.Recipient = firstIdentity, id.Recipient().String()
	if err := AppointGuardians(n.entropy, n.Guardians, n.Threshold)(c); err != nil {
		return ident.Signed{}, err
	}
	signed, err := ledger.SignCharter(n.entropy.OwnerKey(), *c)
	if err != nil {
		return signed, err
	}
	n.charter, err = ledger.VerifyFirstCharter(signed)
	return signed, err
}

const firstIdentity = 1

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// keepProfile keeps the kit first, then the profile: whatever happens after, the
// words that open the vault exist.
func (n *newVault) keepProfile(signed ident.Signed, nodes []p2p.Node) error {
	p := &n.profile
	p.Vault, p.Charter = n.charter.ID(), signed
	p.addBootstrap(memberAddrs(n.charter, nodes))
	var err error
	if p.Grant, err = grantFor(n.entropy, n.charter, *p, n.Device, n.Rights, n.Options.Now(), 0); err != nil {
		return err
	}
	if err := p.takeKeys(n.entropy, n.charter, n.Rights); err != nil {
		return err
	}
	kit := Kit{Entropy: n.entropy, Vault: p.Vault, Network: n.charter.Network, Name: n.Name, Bootstrap: p.Bootstrap}
	if err := n.KeepKit(kit); err != nil {
		return fmt.Errorf("keep recovery kit: %w", err)
	}
	if err := n.home.reserve(n.Name); err != nil {
		return err
	}
	return n.home.Save(*p)
}

// memberAddrs returns the addresses of a vault's members, with /p2p/.
func memberAddrs(c ledger.Charter, nodes []p2p.Node) []string {
	var out []string
	for _, n := range nodes {
		if _, ok := c.MemberByNode(n.Certificate.Node); !ok {
			continue
		}
		for _, a := range n.Addrs {
			out = append(out, p2p.JoinAddr(a, n.Certificate.Node))
		}
	}
	return out
}

// grantFor signs what a device may do. A life of 0 never ends.
func grantFor(e seal.Entropy, c ledger.Charter, p Profile, name string, r ledger.Rights, now time.Time, life time.Duration) (ident.Signed, error) {
	g := ledger.Grant{
		Vault: c.ID(), Device: p.Device.Public(), Name: shorten(name), Rights: r,
		Index: p.Index.Recipient().String(), Issued: ledger.Millis(now),
	}
	if life > 0 {
		g.Expires = ledger.Millis(now.Add(life))
	}
	return ledger.SignGrant(e.OwnerKey(), g)
}

// shorten makes a host's name fit for a grant.
func shorten(name string) string {
	name = strings.ToValidUTF8(name, "?")
	for len(name) > ledger.MaxName {
		name = strings.ToValidUTF8(name[:ledger.MaxName], "")
	}
	return cmp.Or(name, "device")
}

// takeKeys gives a profile the secrets that go with its rights.
func (p *Profile) takeKeys(e seal.Entropy, c ledger.Charter, r ledger.Rights) error {
	var err error
	p.Keys, p.Identities, err = keysFor(e, c, r)
	return err
}

// publish has every member accept the charter, then enrols the device.
func (n *newVault) publish(ctx context.Context, signed ident.Signed) error {
	client := ledgerrpc.NewClient(rpc.Over[p2p.Stream](n.host), ledgerrpc.Limits{})
	defer client.Close()
	wait := quorumWait{Enough: len(n.charter.Members), Limit: askLimit}
	answers := gather(ctx, n.charter.Members, wait, func(ctx context.Context, m ledger.Member) (struct{}, error) {
		word, err := client.Member(m.Node, ident.Signed{}).Accept(ctx, signed)
		if err != nil {
			return struct{}{}, err
		}
		a, err := ledger.VerifyAcceptance(word, n.charter)
		if err == nil && a.Operator != m.Operator {
			err = ErrFork
		}
		return struct{}{}, err
	})
	if have := succeeded(answers); have < len(answers) {
		return fmt.Errorf("%w: %d of %d members accepted: %w", ErrTooFewNodes, have, len(answers), refusal(answers, have, len(answers)))
	}
	s, err := n.home.connect(ctx, n.profile, n.Options)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.enrol(ctx, n.entropy.OwnerKey(), n.profile.Grant)
	return err
}

// enrol records a grant in the owner's lane.
func (s *Session) enrol(ctx context.Context, owner ident.PrivateKey, grant ident.Signed) (Final, error) {
	if _, err := s.Sync(ctx); err != nil {
		return Final{}, err
	}
	if err := s.resumeLocked(ctx, owner); err != nil {
		return Final{}, err
	}
	body, err := ledger.EnrolBody{Grant: grant}.Encode()
	if err != nil {
		return Final{}, err
	}
	return s.append(ctx, owner, ledger.Entry{Kind: ledger.KindEnrol}, body)
}
