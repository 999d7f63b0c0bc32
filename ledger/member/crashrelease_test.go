package member_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

const crashReleaseDir = "HOLDFAST_TEST_CRASH_RELEASE_DIR"

// crashCase is what the killed processes have in common: a request that has passed, of
// a snapshot whose segments nothing else needs.
type crashCase struct {
	vault   *ledgertest.Vault
	lane    *ledgertest.Lane
	target  ledgertest.Step
	request ident.Signed
}

const crashSegments = 500

func newCrashCase() *crashCase {
	c := &crashCase{vault: ledgertest.NewVault("crash", 4).Change("crash", func(ch *ledger.Charter) {
		ledgertest.Guardians(3, 2)(ch)
		atOnce(ch)
	})}
	c.lane = c.vault.Lane(ledgertest.Key("crash device"))
	c.target = c.lane.Snapshot("target", crashSegments)
	c.request = c.vault.Request(c.vault.Owner, ledger.RequestRelease, c.target.Entry.CID())
	return c
}

// config gives the member a clock that goes on, so that a word that was forgotten would
// be said in other bytes.
func (c *crashCase) config(dir string) member.Config {
	cfg := config(dir, c.vault, 0)
	cfg.Now = func() time.Time {
		return ledgertest.Start().Add(time.Duration(time.Now().UnixNano() % int64(time.Hour)))
	}
	return cfg
}

// prepare brings a member to where the request has passed. The other members have
// certified what is there.
func (c *crashCase) prepare(t *testing.T, dir string) {
	s := open(t, c.config(dir))
	must(s.Accept(c.vault.Signed))
	id := c.vault.ID()
	enrol := c.vault.OwnerLane().Enrol(c.vault.Grant(c.lane.Key, ledger.Append))
	mustNot(t, s.Adopt(id, c.vault.LinkOf(enrol, 0, 1, 2, 3)))
	mustNot(t, s.Adopt(id, c.vault.LinkOf(c.target, 0, 1, 2, 3)))
	c.lane.Advance(c.target)
	mustNot(t, s.Request(id, c.request, ident.Signed{}))
	for g := range 2 {
		mustNot(t, s.Opine(id, ledger.Approve, c.vault.Opinion(ledgertest.GuardianKey(g), ledger.Approve, c.request.CID())))
	}
	mustNot(t, s.Close())
}

func (c *crashCase) release(i int) []byte {
	return c.vault.Release(c.request.CID(), c.target.Segments()[i])
}

// TestCrashReleaseChild is the process that is killed: a member that consents, keeps
// certificates and takes releases back as fast as it can, and prints each promise after
// it was given.
func TestCrashReleaseChild(t *testing.T) {
	dir := os.Getenv(crashReleaseDir)
	if dir == "" {
		t.Skip("runs in TestCrashRelease only")
	}
	c := newCrashCase()
	s, err := member.Open(c.config(dir))
	if err != nil {
		t.Fatal(err)
	}
	for {
		if err := c.promise(s, rand.IntN(crashSegments)); err != nil {
			say("broken %v", err)
			return
		}
	}
}

// promise takes one release some of its way.
func (c *crashCase) promise(s *member.Store, i int) error {
	id, release := c.vault.ID(), c.release(i)
	name := ident.SumDagCBOR(release)
	consent, err := s.Consent(id, release)
	if errors.Is(err, ledger.ErrSettled) || errors.Is(err, ledger.ErrNotFree) {
		return nil // one was taken back
	}
	if err != nil {
		return err
	}
	say("consent %d %x", i, consent.Signature[:])
	if i%2 == 0 {
		return nil
	}
	cert, _, err := ledger.NewReleaseCertificate(release, c.vault.Consents(release, 3), c.vault.Charter)
	if err == nil {
		err = s.Release(id, cert)
	}
	if err != nil {
		return err
	}
	say("released %d -", i)
	if i%4 != 1 {
		return nil
	}
	word, err := s.Undo(id, c.vault.Undo(c.vault.Owner, name))
	if err == nil {
		say("undone %d %x", i, word.Signature[:])
	}
	return err
}

// said is what all the processes together have promised: of each kind, for each
// segment, the words.
type said map[string]map[int]string

func (p said) hear(t *testing.T, line string) {
	f := strings.Fields(line)
	if len(f) != 3 || p[f[0]] == nil {
		t.Errorf("child says: %s", line)
		return
	}
	i, err := strconv.Atoi(f[1])
	if was, ok := p[f[0]][i]; err != nil || ok && was != f[2] {
		t.Errorf("%s of %s: %.16s, then %.16s", f[0], f[1], was, f[2])
	}
	p[f[0]][i] = f[2]
}

// hold checks in a store that every promise holds.
func (p said) hold(t *testing.T, c *crashCase, s *member.Store) {
	id := c.vault.ID()
	for i, word := range p["consent"] {
		if again, err := s.Consent(id, c.release(i)); err == nil && fmt.Sprintf("%x", again.Signature[:]) != word {
			t.Errorf("segment %d: consented in other words", i)
		}
		l := *c.lane
		k := l.Commit(fmt.Sprint("wants ", i), 1)
		k.Refs = ledger.Set{Lane: l.Key.Public()}.With(l.Key.Public(), ident.CID{}, ledger.NewSpans(int64(i), l.Count)).Full()
		step := l.Finish(k)
		if _, err := s.Propose(id, step.Proposal, step.Signed, step.Body); !errors.Is(err, ledger.ErrClosing) {
			t.Errorf("segment %d: consented to its release, and an entry that refers to it gets %v", i, err)
		}
	}
	for state, list := range map[ledger.ReleaseState]map[int]string{ledger.ReleaseCertified: p["released"], ledger.ReleaseUndone: p["undone"]} {
		for i := range list {
			nonce, asked := [16]byte{1}, []ident.CID{ident.SumDagCBOR(c.release(i))}
			a := must(ledger.VerifyStanding(must(s.Standing(id, nonce, asked)), c.vault.Charter, c.vault.Charter.Members[0], nonce, asked))
			if got := a.States[0].State; got != state && got != ledger.ReleaseUndone {
				t.Errorf("release %d: %d, want %d", i, got, state)
			}
		}
	}
}

// Whenever the process is killed: every consent still keeps the member from voting for
// what refers to the segment, is given again in the same words, and every certificate
// and word of undoing is still known.
func TestCrashRelease(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	c, dir := newCrashCase(), t.TempDir()
	c.prepare(t, dir)
	p := said{"consent": {}, "released": {}, "undone": {}}
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		p.round(t, dir, random.IntN(25), time.Duration(random.IntN(8000))*time.Microsecond)
		s, err := member.Open(c.config(dir))
		if err != nil {
			t.Fatal(err)
		}
		p.hold(t, c, s)
		mustNot(t, member.CheckCustody(s))
		mustNot(t, s.Close())
	}
	if len(p["consent"]) < rounds || len(p["released"]) == 0 {
		t.Errorf("%d consents, %d releases: nothing was tested", len(p["consent"]), len(p["released"]))
	}
	t.Logf("%d consents, %d releases, %d undone", len(p["consent"]), len(p["released"]), len(p["undone"]))
}

// round runs one child and kills it some time after it has said so many lines.
func (p said) round(t *testing.T, dir string, lines int, more time.Duration) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestCrashReleaseChild$", "-test.count=1")
	child.Env = append(os.Environ(), crashReleaseDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	mustNot(t, err)
	mustNot(t, child.Start())
	kill := func() { child.Process.Kill() }
	giveUp := time.AfterFunc(time.Minute, kill)
	defer giveUp.Stop()
	lineByLine := bufio.NewScanner(out)
	for n := 0; lineByLine.Scan(); n++ {
		p.hear(t, lineByLine.Text())
		if n == lines {
			time.AfterFunc(more, kill)
		}
	}
	child.Wait()
}
