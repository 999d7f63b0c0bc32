package member

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// constitution is the charters of a vault, and what this node is under the one in
// force. It is replaced as a whole, by whoever has the group's turn or before anybody
// else knows the vault, and read at any time.
type constitution struct {
	chain ledger.Chain
	key   ident.PrivateKey // signs under the charter in force; none if this node is no member
	ready bool             // every entry after which the charter in force starts is here
}

// constitution returns what is in force now.
func (v *vault) constitution() *constitution { return v.now.Load() }

// chain returns the charters up to the one in force.
func (v *vault) chain() ledger.Chain { return v.constitution().chain }

// inForce returns the charter under which this member signs now.
func (v *vault) inForce() ledger.Charter { return v.chain().Current() }

// charterOf returns the charter of this vault with a name.
func (v *vault) charterOf(id ident.CID) (ledger.Charter, error) {
	ch, ok := v.chain().At(id)
	if !ok {
		return ledger.Charter{}, fmt.Errorf("%w: %s", ledger.ErrCharter, id)
	}
	return ch, nil
}

// chartersSince returns the charters that were in force since one was, with that one;
// all of them for one that is not known.
func (v *vault) chartersSince(id ident.CID) []ledger.Charter {
	chain := v.chain()
	if since := chain.Since(id); len(since) > 0 {
		return since
	}
	return chain.Since(chain.ID())
}

// voteKey returns the key that signs for the vault, none if this node is no member.
func (v *vault) voteKey() ident.PrivateKey { return v.constitution().key }

// under makes the constitution that a chain stands for.
func (v *vault) under(x index, chain ledger.Chain) (*constitution, error) {
	c := &constitution{chain: chain}
	c.key, _ = v.store.keyOf(chain.Current())
	var err error
	c.ready, err = x.ready(chain)
	return c, err
}

// maySign says whether this node signs for the vault, under the charter in force.
//
// SPEC: new members are ready when they hold every start. Before, what they say of the
// newest would be less than what was final.
func (v *vault) maySign() error {
	switch c := v.constitution(); {
	case c.key.IsZero():
		return fmt.Errorf("vault %s: %w under this node and vote key", v.id, ledger.ErrNotMember)
	case v.hasForgotten(c.key.Public()):
		return fmt.Errorf("vault %s: %w", v.id, ErrForgotten)
	case !c.ready:
		return fmt.Errorf("vault %s: %w: entries before its charter are missing here", v.id, ledger.ErrBehind)
	}
	return nil
}

// ready reports whether every entry after which the newest charter of a chain starts is
// certified here.
func (x index) ready(chain ledger.Chain) (bool, error) {
	for _, start := range chain.Starts() {
		if ok, err := x.holds(start); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// holds reports whether an entry is certified here at its height.
func (x index) holds(start ledger.LaneStart) (bool, error) {
	p := x.get(chainBucket, chainKey(start.Lane, start.Height))
	if p == nil {
		return false, nil
	}
	id, err := ident.CIDFromBytes(p)
	return id == start.Entry, err
}

// getReady notes that what was missing before the charter in force has come.
func (v *vault) getReady() error {
	if v.constitution().ready {
		return nil
	}
	var after *constitution
	return v.changeThen(nil, func(x index) error {
		var err error
		after, err = v.under(x, v.chain())
		return err
	}, func() { v.now.Store(after) })
}
