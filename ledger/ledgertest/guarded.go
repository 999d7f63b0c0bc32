package ledgertest

import (
	"slices"
	"strconv"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Change makes the vault anew with another first charter: drafted as NewVault's, and
// changed. Nothing that was signed for the old one is of this vault.
func (v *Vault) Change(name string, change func(*ledger.Charter)) *Vault {
	c := v.Draft(name)
	change(&c)
	w := &Vault{Owner: v.Owner, Members: v.Members, Signed: must(ledger.SignCharter(v.Owner, c))}
	w.Charter = must(ledger.VerifyFirstCharter(w.Signed))
	return w
}

// GuardianKey is the approval key of a guardian of a vault.
func GuardianKey(i int) ident.PrivateKey { return Key("guardian " + strconv.Itoa(i)) }

// Guardians puts so many guardians into a charter.
func Guardians(n, threshold int) func(*ledger.Charter) {
	return func(c *ledger.Charter) {
		c.Guardians, c.Threshold = nil, int64(threshold)
		for i := range n {
			c.Guardians = append(c.Guardians, ledger.Guardian{
				Name: "guardian " + strconv.Itoa(i), Key: GuardianKey(i).Public(),
				Envelope: []byte("envelope"), Share: Key("share " + strconv.Itoa(i)).Seed(),
			})
		}
	}
}

// Sharing puts so many guardians into a charter, who recover a secret, too.
func Sharing(n, threshold int) func(*ledger.Charter) {
	return func(c *ledger.Charter) {
		Guardians(n, threshold)(c)
		c.Secret = []byte("the root secret, sealed")
	}
}

// Confirmation makes a guardian's confirmation of his share in the vault's charter.
func (v *Vault) Confirmation(guardian ident.PrivateKey, at time.Time) ident.Signed {
	return must(ledger.SignConfirmation(guardian, v.Charter, at))
}

// Request makes a request of a kind, for snapshots in any order.
func (v *Vault) Request(by ident.PrivateKey, kind ledger.RequestKind, targets ...ident.CID) ident.Signed {
	return must(ledger.SignRequest(by, v.DraftRequest(kind, targets...)))
}

// DraftRequest returns the request that Request signs.
func (v *Vault) DraftRequest(kind ledger.RequestKind, targets ...ident.CID) ledger.Request {
	r := ledger.Request{Vault: v.ID(), Charter: v.Charter.CID(), Kind: kind, Targets: sorted(targets), Clock: ledger.Millis(Start())}
	for _, t := range r.Targets {
		h := t.Hash()
		for i := range r.Nonce {
			r.Nonce[i] ^= h[i]
		}
	}
	return r
}

func sorted(names []ident.CID) []ident.CID {
	names = slices.Clone(names)
	slices.SortFunc(names, ident.CID.Compare)
	return slices.Compact(names)
}

// Opinion makes an opinion about a request.
func (v *Vault) Opinion(by ident.PrivateKey, stance ledger.Stance, request ident.CID) ident.Signed {
	return must(ledger.SignOpinion(by, stance, ledger.Opinion{
		Vault: v.ID(), Charter: v.Charter.CID(), Request: request, Clock: ledger.Millis(Start()),
	}))
}

// Release encodes a release of segments in any order.
func (v *Vault) Release(request ident.CID, segments ...ident.CID) []byte {
	return must(ledger.Release{Vault: v.ID(), Charter: v.Charter.CID(), Request: request, Segments: segments}.Encode())
}

// ConsentTo makes a member's consent to an encoded release.
func (m Member) ConsentTo(release []byte) ident.Signed {
	r := must(ledger.ParseRelease(release))
	return must(ledger.SignConsent(m.Vote, ledger.Consent{
		Vault: r.Vault, Charter: r.Charter, Release: r.CID(), Operator: m.Operator.Public(), Clock: ledger.Millis(Start()),
	}))
}

// Consents makes the consents of the first so many members.
func (v *Vault) Consents(release []byte, count int) []ident.Signed {
	var all []ident.Signed
	for _, m := range v.Members[:count] {
		all = append(all, m.ConsentTo(release))
	}
	return all
}

// Undo makes the undo of a release.
func (v *Vault) Undo(by ident.PrivateKey, release ident.CID) ident.Signed {
	return must(ledger.SignUndo(by, ledger.Undo{Vault: v.ID(), Charter: v.Charter.CID(), Release: release, Clock: ledger.Millis(Start())}))
}

// Undone makes the words of the first so many members that a release is taken back.
func (v *Vault) Undone(release ident.CID, count int) []ident.Signed {
	var all []ident.Signed
	for _, m := range v.Members[:count] {
		all = append(all, must(ledger.SignUndone(m.Vote, ledger.Undone{
			Vault: v.ID(), Charter: v.Charter.CID(), Release: release, Operator: m.Operator.Public(), Clock: ledger.Millis(Start()),
		})))
	}
	return all
}

// Segments returns the segments that a step introduces, in the order of their numbers.
func (s Step) Segments() []ident.CID {
	b := must(ledger.ParseSnapshotBody(s.Body))
	var out []ident.CID
	for _, n := range b.Segments {
		out = append(out, ident.SumDagCBOR(n.Descriptor))
	}
	return out
}
