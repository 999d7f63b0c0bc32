package ledgertest

import (
	"fmt"

	"github.com/zeebo/blake3"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Commit is what a snapshot's body is made of. A test may change any part before
// it is encoded: receipts are signed by then, for what they say.
type Commit struct {
	Body     ledger.SnapshotBody // without holders, receipts and refs
	Source   [16]byte
	Holders  []Member
	Receipts []ledger.Receipt // of the holders, not signed
	Refs     ledger.RefSet
}

// Commit makes a valid commit of new segments with all shards placed, one with each
// of the first n members, or as few with each as there are members for.
func (l *Lane) Commit(tag string, segments int) *Commit {
	v := l.Vault
	h := blake3.Sum256([]byte(fmt.Sprintf("%s %s %d", l.Key.Public(), tag, l.Height)))
	c := &Commit{
		Body:    ledger.SnapshotBody{Nonce: [16]byte(h[:16]), Sealed: []byte("sealed " + tag)},
		Source:  [16]byte(h[16:]),
		Holders: v.Members[:min(len(v.Members), v.Charter.Code.N)],
	}
	for i := range segments {
		c.Body.Segments = append(c.Body.Segments, v.segment(fmt.Sprintf("%x %d", h, i), len(c.Holders)))
	}
	c.Promise(l)
	numbers := ledger.Spans{{First: l.Count, Count: int64(segments)}}
	c.Refs = l.Set.With(l.Key.Public(), ident.CID{}, numbers).Full()
	return c
}

// segment describes a segment that nobody has.
func (v *Vault) segment(name string, holders int) ledger.NewSegment {
	code := v.Charter.Code
	d := erasure.Descriptor{V: 1, K: uint64(code.K), N: uint64(code.N), Size: 1 << 20}
	p := make([]byte, code.N)
	for i := range code.N {
		d.Shards = append(d.Shards, ident.SumRaw([]byte(fmt.Sprintf("%s %d", name, i))))
		p[i] = byte(i % holders)
	}
	return ledger.NewSegment{Descriptor: d.Encode(), Placement: p}
}

// Promise makes the receipts that fit the placement.
func (c *Commit) Promise(l *Lane) {
	c.Receipts = nil
	for i, m := range c.Holders {
		c.Receipts = append(c.Receipts, ledger.Receipt{
			Vault: l.Vault.ID(), Charter: l.Vault.Charter.CID(), Device: l.Key.Public(), Node: m.Node.Public(),
			Nonce: c.Body.Nonce, Shards: c.shards(i),
			Time: ledger.Millis(Start()), Until: ledger.Millis(Start().AddDate(0, 0, 8)),
		})
	}
}

// shards returns what the placement says a holder has.
func (c *Commit) shards(holder int) []ledger.ReceiptShard {
	var out []ledger.ReceiptShard
	for _, s := range c.Body.Segments {
		d := must(erasure.ParseDescriptor(s.Descriptor))
		for i, row := range s.Placement {
			if int(row) == holder {
				out = append(out, ledger.ReceiptShard{Segment: ident.SumDagCBOR(s.Descriptor), Index: int64(i), Shard: d.Shards[i]})
			}
		}
	}
	return out
}

// Encode signs the receipts and returns the body.
func (c *Commit) Encode() []byte {
	b := c.Body
	for i, m := range c.Holders {
		b.Holders = append(b.Holders, m.Certificate)
		b.Receipts = append(b.Receipts, must(ledger.SignReceipt(m.Vote, c.Receipts[i])))
	}
	b.Refs = must(c.Refs.Encode())
	return must(b.Encode())
}
