package webpage

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"
)

// Page is one kind of page. Its file is called page.html, and may use "bar" and the
// functions of this package.
type Page struct{ template *template.Template }

// Parse reads a page from the files that match a pattern, with functions of its own; a
// page that cannot be parsed is a fault of the program.
func Parse(files fs.FS, pattern string, own map[string]any) *Page {
	t := template.New("page").Funcs(template.FuncMap{"size": Size, "span": Span, "time": Time, "part": Part, "count": Count}).Funcs(own)
	t = template.Must(template.Must(t.Parse(bar)).ParseFS(files, pattern))
	return &Page{t}
}

// Serve makes the page of some data, all of it or an error.
func (p *Page) Serve(w http.ResponseWriter, data any) {
	var b bytes.Buffer
	if err := p.template.ExecuteTemplate(&b, "page.html", data); err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// bar is a horizontal bar: a share between 0 and 100, with its words for those who do
// not see it.
const bar = `{{define "bar"}}<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="4"/><rect class="part" width="{{.}}" height="4"/></svg>{{end}}`

// Part is a share of a whole in hundredths, 0 to 100.
func Part(part, whole int64) float64 {
	if whole <= 0 || part <= 0 {
		return 0
	}
	return min(100, float64(int64(1000*float64(part)/float64(whole)))/10)
}

// Size writes a number of bytes.
func Size(bytes int64) string {
	if bytes < 1<<10 {
		return fmt.Sprintf("%d B", bytes)
	}
	value, unit := float64(bytes), -1
	for value >= 1<<10 && unit < 4 {
		value /= 1 << 10
		unit++
	}
	if value >= 100 {
		return fmt.Sprintf("%.0f %ciB", value, "KMGTP"[unit])
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[unit])
}

// Count writes a number with thin spaces between the thousands.
func Count(n int64) string {
	if n < 0 {
		return "-" + Count(-n)
	}
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s\u2009%03d", Count(n/1000), n%1000)
}

// Span writes how long something takes, with the two largest units.
func Span(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// Time writes a moment, to the minute, in UTC.
func Time(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04") + " UTC"
}
