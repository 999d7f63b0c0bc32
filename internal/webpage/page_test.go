package webpage

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Size(0), "0 B"}, {Size(1023), "1023 B"}, {Size(1024), "1.0 KiB"}, {Size(150 << 10), "150 KiB"}, {Size(5 << 40), "5.0 TiB"}, {Size(1 << 62), "4096 PiB"},
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1\u2009000"}, {Count(1234567), "1\u2009234\u2009567"}, {Count(-5), "-5"},
		{Span(0), "0 ms"}, {Span(1500 * time.Millisecond), "1 s"}, {Span(-90 * time.Second), "1 min 30 s"}, {Span(25 * time.Hour), "1 d 1 h"}, {Span(61 * time.Minute), "1 h 1 min"},
		{Time(time.Time{}), "never"}, {Time(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), "2026-01-02 03:04 UTC"},
	} {
		if c.got != c.want {
			t.Errorf("%q, not %q", c.got, c.want)
		}
	}
	for _, c := range []struct {
		part, whole int64
		want        float64
	}{{0, 0, 0}, {5, 0, 0}, {-1, 10, 0}, {1, 3, 33.3}, {20, 10, 100}, {10, 10, 100}} {
		if got := Part(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d: %v, not %v", c.part, c.whole, got, c.want)
		}
	}
}

// A page is served whole, with what others have said harmless in it, or not at all.
func TestServe(t *testing.T) {
	p := Parse(fstest.MapFS{"page.html": {Data: []byte(`<p>{{.Text}} {{template "bar" part 1 4}} {{twice .Text}}</p>`)}}, "*.html", map[string]any{"twice": func(s string) string { return s + s }})
	w := httptest.NewRecorder()
	p.Serve(w, struct{ Text string }{"<script>"})
	if body := w.Body.String(); w.Code != http.StatusOK || strings.Contains(body, "<script>") || !strings.Contains(body, `width="25"`) || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%d %s", w.Code, body)
	}
	w = httptest.NewRecorder()
	p.Serve(w, struct{}{})
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "<p>") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Whatever is served says the policy, and names no other place.
func TestAssets(t *testing.T) {
	h := Strict(http.HandlerFunc(Asset))
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	types := map[string]string{"style.css": "text/css; charset=utf-8", "live.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}
	list, err := fs.ReadDir(assets, "assets")
	if err != nil || len(list) != len(types) {
		t.Fatal(list, err)
	}
	for name, want := range types {
		w := get("/assets/" + name)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != want || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
		body := strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", "")
		if regexp.MustCompile(`(https?:)?//[a-z0-9]+\.|url\(|@import|\bimport\b`).MatchString(body) {
			t.Errorf("%s names another place", name)
		}
	}
	for _, path := range []string{"/assets/", "/assets/none", "/assets/../assets.go", "/"} {
		if w := get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
