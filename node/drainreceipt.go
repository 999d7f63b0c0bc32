package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// ErrDrainReceipt says that a file holds no receipt of a drain, or one that proves
// nothing.
var ErrDrainReceipt = errors.New("not a receipt of a drain")

const (
	receiptsName    = "receipts"
	maxDrainReceipt = 256 << 20
)

// DrainReceipt shows, without a network, that a node gave away all that it held: for each
// vault, words of a quorum of its members, and the charters by which they are members.
// Whoever reads it compares vaults and node with what he expects: a vault that is not in
// it is not spoken of.
type DrainReceipt struct {
	V           int            `json:"v"`
	Node        string         `json:"node"`
	Operator    string         `json:"operator"`
	Network     string         `json:"network"`
	Certificate []byte         `json:"certificate"` // Signed, of the node: whose it is, and in which network
	Since       time.Time      `json:"since"`       // by the node's own clock
	Time        time.Time      `json:"time"`        // likewise, as it is written; verified, by the members' clocks
	Vaults      []DrainedVault `json:"vaults"`
}

// DrainedVault is the proof for one vault. Bytes are DAG-CBOR, as base64.
type DrainedVault struct {
	Vault   string   `json:"vault"`
	Charter []byte   `json:"charter"`         // Signed first charter
	Links   [][]byte `json:"links,omitempty"` // by which the charters after it came into force
	Words   [][]byte `json:"words"`           // Signed held, of members
}

func drained(v DrainVault) (out DrainedVault, err error) {
	out.Vault = v.Vault
	if out.Charter, err = wire.Encode(v.chain.Charters()[0]); err != nil {
		return out, err
	}
	for _, l := range v.chain.Successions() {
		p, err := l.Encode()
		if err != nil {
			return out, err
		}
		out.Links = append(out.Links, p)
	}
	for _, w := range v.words {
		p, err := wire.Encode(w)
		if err != nil {
			return out, err
		}
		out.Words = append(out.Words, p)
	}
	return out, nil
}

func (r DrainReceipt) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = atomicfile.WriteFile(path, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write receipt of the drain: %w", err)
	}
	return nil
}

// VerifyDrain reads a receipt and verifies all of it.
func VerifyDrain(path string) (DrainReceipt, error) {
	text, err := readSmall(path, maxDrainReceipt)
	if err != nil {
		return DrainReceipt{}, fmt.Errorf("read receipt of a drain: %w", err)
	}
	r, err := parseDrain(text)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrDrainReceipt, err)
	}
	return r, nil
}

func parseDrain(text []byte) (DrainReceipt, error) {
	var r DrainReceipt
	if err := json.Unmarshal(text, &r); err != nil {
		return r, err
	}
	if r.V != 1 {
		return r, fmt.Errorf("version %d is not known", r.V)
	}
	cert, err := r.certified()
	if err != nil {
		return r, err
	}
	for i, v := range r.Vaults {
		at, err := v.verify(cert)
		if err != nil {
			return r, fmt.Errorf("vault %.80q: %w", v.Vault, err)
		}
		if i == 0 || at.Before(r.Time) {
			r.Time = at
		}
	}
	return r, nil
}

// certified checks what the receipt says of the node: its operator has signed that. The
// certificate may have expired since.
func (r DrainReceipt) certified() (ledger.NodeCertificate, error) {
	var signed ident.Signed
	if err := wire.Decode(r.Certificate, &signed); err != nil {
		return ledger.NodeCertificate{}, err
	}
	cert, err := ledger.VerifyNodeCertificate(signed)
	if err == nil && (cert.Node.String() != r.Node || cert.Operator.String() != r.Operator || cert.Network != r.Network) {
		err = fmt.Errorf("%w: the certificate is of node %s", ledger.ErrMismatch, cert.Node)
	}
	return cert, err
}

// verify checks that a quorum of the vault's members say that nothing is left on a node,
// and returns when they said so: the median of their clocks.
func (v DrainedVault) verify(node ledger.NodeCertificate) (at time.Time, err error) {
	var first ident.Signed
	if err := wire.Decode(v.Charter, &first); err != nil {
		return at, err
	}
	chain, err := ledger.NewChain(first)
	if err != nil {
		return at, err
	}
	if chain.ID().String() != v.Vault || chain.Current().Network != node.Network {
		return at, fmt.Errorf("%w: the charter is of vault %s in network %s", ledger.ErrMismatch, chain.ID(), chain.Current().Network)
	}
	for _, l := range v.Links {
		if chain, err = appendLink(chain, l); err != nil {
			return at, err
		}
	}
	var words []ledger.Held
	var clocks []int64
	for _, p := range v.Words {
		h, err := readWord(p, chain.Current(), node.Node)
		if err != nil {
			return at, err
		}
		words, clocks = append(words, h), append(clocks, h.Clock)
	}
	if !ledger.Emptied(chain.Current(), words) {
		return at, fmt.Errorf("%w: of members who say that nothing is left", ledger.ErrNoQuorum)
	}
	slices.Sort(clocks)
	return ledger.Time(clocks[len(clocks)/2]), nil
}

// readWord verifies the word of whichever member has signed it.
func readWord(p []byte, ch ledger.Charter, node ident.PublicKey) (ledger.Held, error) {
	var signed ident.Signed
	if err := wire.Decode(p, &signed); err != nil {
		return ledger.Held{}, err
	}
	var by struct {
		Operator ident.PublicKey `cbor:"operator"`
	}
	if err := wire.Decode(signed.Object, &by); err != nil {
		return ledger.Held{}, err
	}
	m, ok := ch.Member(by.Operator)
	if !ok {
		return ledger.Held{}, fmt.Errorf("%w: %s", ledger.ErrNotMember, by.Operator)
	}
	return ledger.VerifyHeld(signed, ch, m, node)
}
