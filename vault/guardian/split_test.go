package guardian

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/seal"
)

// circle is a vault whose root secret is split among people.
type circle struct {
	entropy seal.Entropy
	keys    []Key
	charter ledger.Charter
}

// newCircle splits the root secret of a vault among g guardians.
func newCircle(t testing.TB, name string, m, g int) circle {
	t.Helper()
	c := circle{entropy: seal.Entropy([]byte(fmt.Sprintf("%-32s", "entropy of "+name)))}
	c.charter = ledger.Charter{Owner: c.entropy.OwnerKey().Public(), Salt: [32]byte([]byte(fmt.Sprintf("%-32s", "salt of "+name)))}
	for i := range g {
		k, err := Generate(fmt.Sprintf("guardian %d", i+1))
		if err != nil {
			t.Fatal(err)
		}
		c.keys = append(c.keys, k)
	}
	c.split(t, m)
	return c
}

// split makes the charter's sharing anew.
func (c *circle) split(t testing.TB, m int) {
	t.Helper()
	var people []Public
	for _, k := range c.keys {
		people = append(people, k.Public())
	}
	s, err := Split(c.entropy, c.charter.Salt, people, m)
	if err != nil {
		t.Fatal(err)
	}
	c.charter.Guardians, c.charter.Threshold, c.charter.Secret = s.Guardians, s.Threshold, s.Secret
}

// shares opens all envelopes.
func (c circle) shares(t testing.TB) []Share {
	t.Helper()
	var out []Share
	for _, k := range c.keys {
		s, err := k.Open(c.charter)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

// Any m shares open the secret, in any order and with any more of them; any m-1 do
// not, and the error says how many are needed.
func TestThresholdLaw(t *testing.T) {
	for _, n := range []struct{ m, g int }{{2, 2}, {2, 3}, {3, 3}, {3, 5}, {4, 7}} {
		c := newCircle(t, "law", n.m, n.g)
		all := c.shares(t)
		rapid.Check(t, func(t *rapid.T) {
			some := rapid.Permutation(all).Draw(t, "order")[:rapid.IntRange(0, n.g).Draw(t, "shares")]
			e, err := Combine(c.charter, some)
			switch {
			case len(some) >= n.m && (err != nil || e != c.entropy):
				t.Fatalf("%d of %d shares of %d: %v", len(some), n.g, n.m, err)
			case len(some) < n.m && !errors.Is(err, ErrTooFew):
				t.Fatalf("%d of %d shares of %d: %v", len(some), n.g, n.m, err)
			}
		})
	}
}

// Fewer shares than the threshold say nothing about the secret: whatever one says
// that the missing share is, the secret opens with the right one alone. This is what
// Combine must refuse by counting, since no arithmetic would.
func TestMissingShareCannotBeGuessed(t *testing.T) {
	c := newCircle(t, "guess", 3, 5)
	all := c.shares(t)
	guess := all[2]
	guess.value = all[3].value
	if id, err := interpolate([]Share{all[0], all[1], guess}); err != nil {
		t.Fatal(err)
	} else if _, err := seal.OpenBytes(c.charter.Secret, 32, id); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("a wrong share opens the secret: %v", err)
	}
	few := []Share{all[0], all[1]}
	few[0].Threshold, few[1].Threshold = 2, 2
	if id, err := interpolate(few); err != nil {
		t.Fatal(err)
	} else if _, err := seal.OpenBytes(c.charter.Secret, 32, id); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("two of three shares open the secret: %v", err)
	}
}

// What is wrong with shares is said, and which one it is.
func TestCombineRefuses(t *testing.T) {
	c := newCircle(t, "shop", 2, 3)
	other := newCircle(t, "another shop", 2, 3)
	all, foreign := c.shares(t), other.shares(t)
	before := c
	before.charter.Guardians = nil
	before.split(t, 2)
	old := before.shares(t)
	damaged := all[1]
	damaged.value[0] ^= 1
	moved := all[1]
	moved.Index = 3
	for name, tc := range map[string]struct {
		shares []Share
		want   error
		says   string
	}{
		"none":                {nil, ErrTooFew, "none"},
		"one":                 {all[:1], ErrTooFew, "1 given, 2 of 3 needed"},
		"the same twice":      {[]Share{all[0], all[0]}, ErrDuplicate, "share 2: the same share twice: number 1"},
		"of another vault":    {[]Share{all[0], foreign[1]}, ErrForeign, "share 2"},
		"of another split":    {[]Share{old[0], all[1]}, ErrOtherSplit, "share 1"},
		"changed":             {[]Share{all[0], damaged}, ErrOtherSplit, "share 2"},
		"with another number": {[]Share{all[0], moved}, ErrOtherSplit, "share 2"},
		"one too many":        {[]Share{all[0], all[1], foreign[2]}, ErrForeign, "share 3"},
	} {
		_, err := Combine(c.charter, tc.shares)
		if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	none := c.charter
	none.Secret = nil
	if _, err := Combine(none, all); !errors.Is(err, ErrNoSecret) {
		t.Errorf("a charter without a secret: %v", err)
	}
	if _, err := c.keys[0].Open(none); !errors.Is(err, ErrNoSecret) {
		t.Errorf("a charter without a secret: %v", err)
	}
}

// Before there is a charter, shares are compared with each other.
func TestTogether(t *testing.T) {
	c, other := newCircle(t, "shop", 2, 3), newCircle(t, "another shop", 2, 3)
	all, foreign := c.shares(t), other.shares(t)
	bigger := newCircle(t, "shop", 3, 4).shares(t)
	for name, tc := range map[string]struct {
		shares []Share
		want   error
	}{
		"two":              {all[:2], nil},
		"all":              {all, nil},
		"one":              {all[2:], ErrTooFew},
		"none":             {nil, ErrTooFew},
		"twice":            {[]Share{all[0], all[1], all[0]}, ErrDuplicate},
		"of another vault": {[]Share{all[0], foreign[1]}, ErrForeign},
		"of another split": {[]Share{all[0], bigger[1]}, ErrOtherSplit},
	} {
		if err := Together(tc.shares); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An owner who puts something else into the charter is found out by whoever looks.
func TestFalseCharter(t *testing.T) {
	c := newCircle(t, "shop", 2, 3)
	all := c.shares(t)
	lie := c.charter
	lie.Secret = bytes.Clone(lie.Secret)
	lie.Secret[len(lie.Secret)-1] ^= 1
	if _, err := Combine(lie, all); !errors.Is(err, ErrSecret) {
		t.Errorf("a changed secret: %v", err)
	}
	id, err := interpolate(all)
	if err != nil {
		t.Fatal(err)
	}
	if lie.Secret, err = seal.SealBytes(make([]byte, 32), id.Recipient()); err != nil {
		t.Fatal(err)
	}
	if _, err := Combine(lie, all); !errors.Is(err, ErrSecret) {
		t.Errorf("the secret of another vault: %v", err)
	}
	if lie.Secret, err = seal.SealBytes(make([]byte, 31), id.Recipient()); err != nil {
		t.Fatal(err)
	}
	if _, err := Combine(lie, all); !errors.Is(err, ErrSecret) {
		t.Errorf("half a secret: %v", err)
	}
}

// A share checks itself when its guardian opens the envelope: what is not the share
// of this guardian, in this vault, under this charter is refused.
func TestOpenChecksTheShare(t *testing.T) {
	c, other := newCircle(t, "shop", 2, 3), newCircle(t, "another shop", 2, 3)
	stranger, err := Generate("stranger")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Open(c.charter); !errors.Is(err, ErrWrongKey) {
		t.Errorf("a stranger's key: %v", err)
	}
	me := c.keys[0]
	mine, err := me.Open(c.charter)
	if err != nil {
		t.Fatal(err)
	}
	put := func(s Share, salt [32]byte, owner seal.Entropy) []byte {
		sealed, err := s.sealTo(me.Public(), salt, owner.OwnerKey().Public())
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	second, changed, spoiled := mine, mine, mine
	second.Index = 2
	changed.value = other.shares(t)[0].value
	spoiled.value = [32]byte(bytes.Repeat([]byte{0xff}, 32))
	for name, tc := range map[string]struct {
		envelope []byte
		want     error
	}{
		"another guardian's envelope": {c.charter.Guardians[1].Envelope, ErrEnvelope},
		"damaged":                     {c.charter.Guardians[0].Envelope[1:], ErrEnvelope},
		"another number":              {put(second, c.charter.Salt, c.entropy), ErrEnvelope},
		"no scalar":                   {put(spoiled, c.charter.Salt, c.entropy), ErrEnvelope},
		"another share":               {put(changed, c.charter.Salt, c.entropy), ErrOtherSplit},
		"another salt":                {put(mine, other.charter.Salt, c.entropy), ErrForeign},
		"another owner":               {put(mine, c.charter.Salt, other.entropy), ErrForeign},
	} {
		lie := c.charter
		lie.Guardians = append([]ledger.Guardian{}, c.charter.Guardians...)
		lie.Guardians[0].Envelope = tc.envelope
		if _, err := me.Open(lie); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Outside of the envelopes a charter holds nothing that two splits of one secret
// have in common, and of each share its hash alone.
func TestCharterHoldsNothingButHashes(t *testing.T) {
	c := newCircle(t, "shop", 2, 3)
	first := c.charter
	all := c.shares(t)
	for i, g := range first.Guardians {
		if g.Share != hashOf(first.Salt, all[i].value) {
			t.Errorf("guardian %d: the hash is another's", i+1)
		}
		for _, s := range all {
			for _, p := range [][]byte{g.Envelope, g.Share[:], first.Secret} {
				if bytes.Contains(p, s.value[:8]) || bytes.Contains(p, c.entropy[:8]) {
					t.Errorf("guardian %d: a secret is readable", i+1)
				}
			}
		}
	}
	c.split(t, 2)
	for i, g := range c.charter.Guardians {
		if g.Share == first.Guardians[i].Share {
			t.Errorf("guardian %d: two splits give one share", i+1)
		}
	}
	if size := len(first.Secret); size > ledger.MaxSecret || len(first.Guardians[0].Envelope) > ledger.MaxEnvelope {
		t.Errorf("%d and %d bytes", size, len(first.Guardians[0].Envelope))
	}
}

// Two splits of two secrets, with everything else equal: without the sealed files and
// the hashes of shares the charters are the same, byte for byte. So nothing else in
// them depends on the secret or on a share, as a commitment to either would.
func TestNothingElseDependsOnTheSecret(t *testing.T) {
	ours, other := newCircle(t, "shop", 2, 3), newCircle(t, "another shop", 3, 3)
	other.keys = ours.keys
	other.split(t, 2)
	bare := func(c circle) []byte {
		draft := ledgertest.NewVault("shop", 4).Draft("shop")
		draft.Threshold, draft.Secret = c.charter.Threshold, []byte("sealed")
		for i, g := range c.charter.Guardians {
			g.Envelope, g.Share = []byte("sealed"), [32]byte{byte(i)}
			draft.Guardians = append(draft.Guardians, g)
		}
		s, err := ledger.SignCharter(ledgertest.Key("owner"), draft)
		if err != nil {
			t.Fatal(err)
		}
		return s.Object
	}
	if !bytes.Equal(bare(ours), bare(other)) {
		t.Error("the charters differ in something else")
	}
}

// A charter with as many guardians as there may be is one that members read.
func TestMostGuardians(t *testing.T) {
	c := newCircle(t, "crowd", 0, ledger.MaxGuardians)
	draft := ledgertest.NewVault("crowd", 4).Draft("crowd")
	draft.Guardians, draft.Threshold, draft.Secret = c.charter.Guardians, c.charter.Threshold, c.charter.Secret
	if _, err := ledger.SignCharter(c.entropy.OwnerKey(), draft); err != nil || draft.Threshold != 128 {
		t.Errorf("threshold %d: %v", draft.Threshold, err)
	}
	if e, err := Combine(c.charter, c.shares(t)); err != nil || e != c.entropy {
		t.Error(err)
	}
}

func TestSplitRefuses(t *testing.T) {
	c := newCircle(t, "shop", 2, 3)
	ann, bob, eve := c.keys[0].Public(), c.keys[1].Public(), c.keys[2].Public()
	copied, renamed := bob, bob
	copied.Recipient = ann.Recipient
	renamed.Name = ann.Name
	for name, tc := range map[string]struct {
		people []Public
		m      int
		want   error
	}{
		"nobody":        {nil, 0, ErrThreshold},
		"one":           {[]Public{ann}, 0, ErrThreshold},
		"one of two":    {[]Public{ann, bob}, 1, ErrThreshold},
		"four of three": {[]Public{ann, bob, eve}, 4, ErrThreshold},
		"negative":      {[]Public{ann, bob, eve}, -1, ErrThreshold},
		"twice":         {[]Public{ann, bob, ann}, 2, ErrTwice},
		"one recipient": {[]Public{ann, copied}, 2, ErrTwice},
		"one name":      {[]Public{ann, renamed}, 2, ErrTwice},
		"no name":       {[]Public{ann, {Key: bob.Key, Recipient: bob.Recipient}}, 2, ErrName},
		"too many":      {make([]Public, ledger.MaxGuardians+1), 2, ErrThreshold},
	} {
		if _, err := Split(c.entropy, c.charter.Salt, tc.people, tc.m); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMajority(t *testing.T) {
	for g, want := range map[int]int{2: 2, 3: 2, 4: 3, 5: 3, 6: 4, 7: 4, 255: 128} {
		if got := Majority(g); got != want || CheckThreshold(got, g) != nil {
			t.Errorf("of %d guardians %d, not %d", g, got, want)
		}
	}
}
