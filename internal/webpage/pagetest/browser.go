package pagetest

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// NeedBrowser is the environment variable that, if it is not empty, makes a missing
// browser a failure.
const NeedBrowser = "HOLDFAST_NEED_BROWSER"

// programs are the names under which the browser is looked for.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}

// limit is how long one test may take with its browser.
const limit = 2 * time.Minute

// Browser is one tab, and what the page in it has asked for and complained about.
type Browser struct {
	t    testing.TB
	home string // what every request must begin with
	ctx  context.Context

	mu         sync.Mutex
	requests   []string
	complaints []string
}

// Open starts a browser that ends with the test. Every request of its pages must begin
// with home: anything else fails the test.
func Open(t testing.TB, home string) *Browser {
	t.Helper()
	program := find()
	switch {
	case program == "" && os.Getenv(NeedBrowser) != "":
		t.Fatalf("no browser, and %s is set: install chromium", NeedBrowser)
	case program == "":
		t.Skip("no browser is installed")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1180, 1400))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // the browser's own cannot be had by root
	}
	whole, end := context.WithTimeout(context.Background(), limit)
	allocator, stop := chromedp.NewExecAllocator(whole, options...)
	ctx, _ := chromedp.NewContext(allocator)
	b := &Browser{t: t, home: home, ctx: ctx}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Log("end the browser:", err)
		}
		stop()
		end()
		b.check()
	})
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal("start the browser:", err)
	}
	return b
}

func find() string {
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// hear notes what happens in the page.
func (b *Browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.complaints = append(b.complaints, e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	}
}

// check holds the page to what it may do: ask nobody else, and give no reason to
// complain, such as a style that the policy forbids.
func (b *Browser) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.requests {
		if !strings.HasPrefix(r, b.home) {
			b.t.Errorf("the page asked for %s", r)
		}
	}
	for _, c := range b.complaints {
		b.t.Errorf("the browser complains: %s", c)
	}
	if len(b.requests) == 0 {
		b.t.Error("the page was never asked for")
	}
}

// Do runs actions of chromedp, or fails the test.
func (b *Browser) Do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// Click clicks on what a CSS selector finds. A page that is kept up to date may replace
// it at that very moment: then it is looked for again.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	var err error
	for range 5 {
		if err = chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS(selector))); err == nil {
			return
		}
	}
	b.t.Fatalf("click on %s: %v", selector, err)
}

// Call gives the browser a command.
func Call[P, R any](b *Browser, command cdp.Command[P, R], params P) {
	b.t.Helper()
	b.Do(command.Method, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	}))
}

// Eval returns the value of an expression in the page.
func Eval[T any](b *Browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%.200s: %v", expression, err)
	}
	return v
}

// Until waits until an expression in the page is true.
func (b *Browser) Until(what, expression string) {
	b.t.Helper()
	poll := chromedp.Poll[bool](expression, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(limit/2))
	if _, err := chromedp.Run(b.ctx, poll); err != nil {
		b.t.Fatalf("%s: %v; the page says: %s", what, err, Eval[string](b, "document.body.innerText"))
	}
}

// NoScripts lets pages that are opened from now on run no script.
func (b *Browser) NoScripts() {
	b.t.Helper()
	Call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// Dark lets the page believe that its reader prefers dark colours.
func (b *Browser) Dark() {
	b.t.Helper()
	Call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
}
