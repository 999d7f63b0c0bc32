package main

import (
	"fmt"
	"strings"
	"time"

	"holdfast/ledger"
	"holdfast/vault"
)

// printShares says which guardians have confirmed that they have their shares, for the
// shares of the charter in force, and how long ago.
func (a *app) printShares(ch ledger.Charter, st vault.Status) {
	if len(ch.Secret) == 0 {
		return
	}
	if st.GuardiansErr != nil {
		a.printf("shares: no member says which guardians have confirmed theirs: %s\n", reason(st.GuardiansErr))
		return
	}
	a.printf("%s\n", shares(ch, st.Guardians))
	for _, g := range st.Guardians {
		switch {
		case g.Old(st.Asked):
			a.printf("  %s has confirmed %s ago: ask again\n", g.Name, age(g.Time, st.Asked))
		case !g.Time.IsZero():
			a.printf("  %s has confirmed %s ago\n", g.Name, age(g.Time, st.Asked))
		}
	}
}

// shares says in one line how many guardians have confirmed their shares, and names
// those who have not.
func shares(ch ledger.Charter, all []vault.Confirmed) string {
	silent := unconfirmed(all)
	text := fmt.Sprintf("shares: %d of %s confirmed", len(all)-len(silent), plural(len(all), "guardian"))
	if len(silent) == 0 {
		return text
	}
	text += fmt.Sprintf("; not yet: %s", strings.Join(silent, ", "))
	if have := len(all) - len(silent); have < int(ch.Threshold) {
		text += fmt.Sprintf("; whether the key can be recovered nobody knows before %d have", ch.Threshold)
	}
	return text + "; next, each of them: holdfast guardian confirm"
}

// unconfirmed names those who have not confirmed the shares of today.
func unconfirmed(all []vault.Confirmed) []string {
	names := []string{}
	for _, g := range all {
		if g.Time.IsZero() {
			names = append(names, g.Name)
		}
	}
	return names
}

// sharesJSON has nothing where the charter gives nobody a share, or no member answers.
func sharesJSON(ch ledger.Charter, st vault.Status) map[string]any {
	if len(ch.Secret) == 0 || st.GuardiansErr != nil {
		return nil
	}
	silent, list := unconfirmed(st.Guardians), []map[string]any{}
	for _, g := range st.Guardians {
		list = append(list, confirmedJSON(g, st.Asked))
	}
	return map[string]any{
		"guardians_confirmed": len(st.Guardians) - len(silent), "guardians_unconfirmed": silent, "confirmations": list,
	}
}

// confirmedJSON is one guardian. Without a confirmation there is no time.
func confirmedJSON(g vault.Confirmed, now time.Time) map[string]any {
	fields := map[string]any{"name": g.Name, "key": g.Key.String(), "confirmed": !g.Time.IsZero(), "old": g.Old(now), "kept": g.Kept}
	if !g.Time.IsZero() {
		fields["time"], fields["age"] = g.Time, max(now.Sub(g.Time), 0).Seconds()
	}
	return fields
}

// age says how long ago something was; a clock that is ahead makes it no time at all.
func age(at, now time.Time) string { return formatSpan(max(now.Sub(at), 0).Truncate(time.Second)) }
