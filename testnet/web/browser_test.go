package web

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"holdfast/internal/webpage/pagetest"
	"holdfast/testnet"
)

// A person watches a network in a browser, breaks a node and heals it, by mouse and by
// keyboard, and adds an operator.
func TestPageInBrowser(t *testing.T) {
	n, s := show(t, 4)
	b := pagetest.Open(t, s.URL())
	b.Do("open", chromedp.Navigate(s.URL()))
	b.Until("all nodes are seen", `document.querySelectorAll(".tile .mark.good").length === 4`)
	b.Inspect()
	text := pagetest.Eval[string](b, "document.body.innerText")
	for _, want := range []string{"Network test-local", "All 4 nodes serve", "op-4", "node-4", "No vault yet", n.BootstrapFile()} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the page: %s", want, text)
		}
	}

	b.Click("#break-node-2 summary")
	b.Click("#kill-node-2")
	b.Until("it is seen", `document.querySelector("#verdict").innerText.includes("3 of 4 nodes serve")`)
	b.Until("it can be healed", `document.querySelector("#heal-node-2:not([disabled])") !== null`)
	b.Inspect()
	if got := state(t, n, "node-2"); got != testnet.StateDead {
		t.Errorf("node-2 is %s", got)
	}

	b.Do("press Enter on heal", chromedp.Focus(chromedp.CSS("#heal-node-2")), chromedp.KeyEvent(kb.Enter))
	b.Until("it serves again", `document.querySelector("#verdict").innerText.includes("All 4 nodes serve")`)
	b.Do("open the menu by keyboard", chromedp.Focus(chromedp.CSS("#more-node-3")), chromedp.KeyEvent(kb.Enter))
	b.Until("it stays open while the page changes", `document.querySelector("#break-node-3").open && document.querySelector("#kill-node-3").offsetParent !== null`)

	b.Click("#add-new")
	b.Until("op-5 is there", `document.querySelector('[aria-label="operator op-5"]') !== null && document.querySelectorAll(".tile .mark.good").length === 5`)
	b.Until("the list says what was done", `["kill node-2", "heal node-2", "add an operator"].every((s) => document.querySelector("#deeds").innerText.includes(s))`)
	b.Inspect()
	b.Dark()
	b.Until("dark colours", `getComputedStyle(document.body).backgroundColor === "rgb(17, 23, 26)"`)
}

// Without scripts the page says the same, and its buttons work.
func TestPageWithoutScripts(t *testing.T) {
	n, s := show(t, 2)
	b := pagetest.Open(t, s.URL())
	b.NoScripts()
	until(t, "all nodes are seen", func() bool {
		b.Do("open", chromedp.Navigate(s.URL()))
		return strings.Contains(pagetest.Eval[string](b, "document.body.innerText"), "All 2 nodes serve")
	})
	b.Inspect()
	b.Click("#break-node-1 summary")
	b.Click("#kill-node-1")
	until(t, "it is dead", func() bool { return state(t, n, "node-1") == testnet.StateDead })
}
