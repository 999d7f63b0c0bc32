package vault

import (
	"context"
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Visit is a vault as somebody sees it who has no device in it: a guardian. It opens
// nothing and knows no device by name. It is used by one goroutine at a time.
type Visit struct {
	finder   finder
	council  council
	charters []ledger.Charter
	releases *releases // that members have shown in this visit; kept nowhere
}

// Visit joins the network and finds the vault's members. The caller closes it.
func (l Lookup) Visit(ctx context.Context) (*Visit, error) {
	f, nodes, err := l.join(ctx)
	if err != nil {
		return nil, err
	}
	charters, err := f.charters(ctx, l.Vault, nodes)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("find vault: %w", err), f.close())
	}
	return &Visit{f, council{
		charter: charters[len(charters)-1], now: l.Options.fill().Now,
		grants: func(ident.PublicKey) (g ledger.Grant, enrolled, revoked bool) { return g, false, false },
		member: func(m ledger.Member) seat { return f.client.Member(m.Node, ident.Signed{}) },
	}, charters, newReleases("")}, nil
}

// Close leaves the network.
func (v *Visit) Close() error { return v.finder.close() }

// Charter is the vault's newest.
func (v *Visit) Charter() ledger.Charter { return v.council.charter }

// Cases lists what was requested, the newest first, and hands each member what it has
// not heard yet.
func (v *Visit) Cases(ctx context.Context) ([]Case, error) {
	shown := v.council.askReleased(ctx, v.releases)()
	if _, err := v.council.learn(ctx, v.releases, shown, v.charterNamed); err != nil {
		return nil, err
	}
	cases, _, err := v.council.docket(ctx, v.releases)
	return cases, err
}

func (v *Visit) charterNamed(id ident.CID) (ledger.Charter, bool) {
	for _, c := range v.charters {
		if c.CID() == id {
			return c, true
		}
	}
	return ledger.Charter{}, false
}

// Case finds a request by the beginning of its name.
func (v *Visit) Case(ctx context.Context, ref string) (Case, error) {
	cases, err := v.Cases(ctx)
	if err != nil {
		return Case{}, err
	}
	return findCase(cases, ref)
}

// Opine approves or vetoes a request with a guardian's key. It returns how many
// members keep the opinion.
func (v *Visit) Opine(ctx context.Context, k Case, stance ledger.Stance, key ident.PrivateKey) (int, error) {
	return v.council.opine(ctx, k, stance, key)
}

// Undo takes a case's certified releases back with a guardian's key, and returns how
// many.
func (v *Visit) Undo(ctx context.Context, k Case, key ident.PrivateKey) (int, error) {
	return v.council.undo(ctx, k, key)
}
