package web

import (
	"cmp"
	"slices"

	"holdfast/internal/webpage"
	"holdfast/node"
	"holdfast/testnet"
)

// vaultView is how safe a vault is, by the word of the member that is most worried.
type vaultView struct {
	ID      string
	Members int // that have said something
	Rows    []margin
	node.CustodyStatus
}

// margin is how many segments have one.
type margin struct {
	Margin   int
	Segments int64
	Part     float64 // of all, in hundredths
	Class    string
}

// vaultsOf gathers what members say of their vaults.
func vaultsOf(nodes []testnet.NodeState) []vaultView {
	found := map[string]*vaultView{}
	for _, n := range nodes {
		if n.Status == nil {
			continue
		}
		for _, v := range n.Status.Vaults {
			if v.Custody == nil {
				continue
			}
			if found[v.Vault] == nil {
				found[v.Vault] = &vaultView{ID: v.Vault}
			}
			found[v.Vault].hear(*v.Custody)
		}
	}
	var all []vaultView
	for _, v := range found {
		v.Rows = rows(v.CustodyStatus)
		all = append(all, *v)
	}
	slices.SortFunc(all, func(a, b vaultView) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// hear takes over what one more member says, if that is worse.
func (v *vaultView) hear(c node.CustodyStatus) {
	if v.Members == 0 || c.Worst < v.Worst || c.Worst == v.Worst && c.Below > v.Below {
		v.CustodyStatus = c
	}
	v.Members++
}

// rows are the margins from the best to the worst; what is lost comes last.
func rows(c node.CustodyStatus) []margin {
	var all []margin
	for i := len(c.Margins) - 1; i >= 0; i-- {
		class := classWatch
		switch {
		case i >= c.Target:
			class = classGood
		case i == 0:
			class = classBad
		}
		all = append(all, margin{i, c.Margins[i], webpage.Part(c.Margins[i], c.Segments), class})
	}
	if c.Lost > 0 {
		all = append(all, margin{-1, c.Lost, webpage.Part(c.Lost, c.Segments), classBad})
	}
	return all
}
