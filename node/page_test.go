package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"holdfast/internal/webpage/pagetest"
	"holdfast/ledger/ledgertest"
	"holdfast/store/disk"
)

// A person sees in a browser what the node says, live, without a request to anybody
// else; and without the script as well.
func TestPageInBrowser(t *testing.T) {
	dir := newNode(t, "one")
	n := start(t, dir, ledgertest.Start)
	defer n.end()
	until(t, "ready", func() bool { return Ready(t.Context(), dir) == nil })
	addr, err := AdminAddr(dir)
	must(t, err)
	home := "http://" + addr + "/"
	b := pagetest.Open(t, home)
	b.Do("open", chromedp.Navigate(home))
	b.Inspect()
	for _, want := range []string{"Node of one", "serving", "Volumes", "Vaults kept here", "None yet"} {
		if text := pagetest.Eval[string](b, "document.body.innerText"); !strings.Contains(text, want) {
			t.Errorf("%q is not in the page: %s", want, text)
		}
	}
	b.Until("bars of no size have none", `document.querySelector("#volumes svg.bar .part").getBoundingClientRect().width === 0`)

	must(t, os.Remove(filepath.Join(dir, volumeName, disk.MarkerName)))
	b.Until("the page says that the volume is gone", `document.querySelector("#verdict").innerText.includes("mount the disk again")`)
	b.Until("in its title as well", `document.title.includes("paused")`)
	b.Inspect()
	b.NoScripts()
	b.Do("open without scripts", chromedp.Navigate(home))
	b.Inspect()
	if text := pagetest.Eval[string](b, "document.body.innerText"); !strings.Contains(text, "mount the disk again") {
		t.Error(text)
	}
}

// The sentence on top says the worst first.
func TestSentence(t *testing.T) {
	for _, c := range []struct {
		status      Status
		class, text string
	}{
		{Status{Peers: 3}, classGood, "nothing to do"},
		{Status{}, classWatch, "no other node"},
		{Status{Alerts: []Alert{{Severity: Info, Text: "away"}}}, classWatch, "away"},
		{Status{Alerts: []Alert{{Severity: Warning, Text: "soon.", Hint: "renew"}, {Severity: Info}}}, classWatch, "soon. renew"},
		{Status{Skew: -3600, ClockBad: true, Alerts: []Alert{{Severity: Warning}}}, classBad, "−1 h 0 min"},
		{Status{ClockBad: true, Alerts: []Alert{{Severity: Critical, Text: "no marker"}}}, classBad, "no marker"},
		{Status{State: StateStopping, Alerts: []Alert{{Severity: Critical}}}, classStill, "stops"},
	} {
		if got := judge(c.status); got.Class != c.class || !strings.Contains(got.Text, c.text) {
			t.Errorf("%+v: %+v", c.status, got)
		}
	}
	for seconds, want := range map[float64]string{0: "0 ms", 0.5: "+500 ms", -2: "−2 s"} {
		if got := offset(seconds); got != want {
			t.Errorf("%v: %s", seconds, got)
		}
	}
}
