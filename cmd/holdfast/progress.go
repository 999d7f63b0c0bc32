package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// stage is one bar: how far one part of the work is.
type stage struct {
	name  string // read, place, fetch, verify
	done  func() int64
	total func() int64 // 0: not known
}

// progress redraws bars on a terminal, writes a line now and then into a pipe, and
// JSON lines where those are wanted.
type progress struct {
	app    *app
	stages []stage
	extra  func() map[string]any // more fields of a JSON status line

	start time.Time
	mu    sync.Mutex // one writes at a time
	drawn int        // lines of bars on the terminal
	wait  sync.WaitGroup
	stop  context.CancelFunc
}

const (
	drawEvery = 200 * time.Millisecond
	jsonEvery = 250 * time.Millisecond
	pipeEvery = 30 * time.Second
	barWidth  = 24
)

// watch begins to show progress; the caller ends it with close.
func (a *app) watch(ctx context.Context, stages []stage, extra func() map[string]any) *progress {
	p := &progress{app: a, stages: stages, extra: extra, start: time.Now()}
	ctx, p.stop = context.WithCancel(ctx)
	if a.quiet {
		return p
	}
	p.wait.Add(1)
	go func() {
		defer p.wait.Done()
		p.run(ctx)
	}()
	return p
}

// close draws the last state and leaves the cursor below it.
func (p *progress) close() {
	p.stop()
	p.wait.Wait()
	if !p.app.quiet && !p.app.json && terminal(p.app.err) {
		p.draw()
	}
}

func (p *progress) run(ctx context.Context) {
	every := pipeEvery
	switch {
	case p.app.json:
		every = jsonEvery
	case terminal(p.app.err):
		every = drawEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	asked := make(chan os.Signal, 1)
	defer notifyProgress(asked)()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.show()
		case <-asked:
			p.printLine()
		}
	}
}

func (p *progress) show() {
	switch {
	case p.app.json:
		p.emit()
	case terminal(p.app.err):
		p.draw()
	default:
		p.printLine()
	}
}

// note writes a status line, above the bars if there are any.
func (p *progress) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn > 0 {
		fmt.Fprintf(p.app.err, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
	p.app.say(format, args...)
}

func (p *progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.drawn)
	}
	for _, s := range p.stages {
		b.WriteString("\x1b[2K" + p.bar(s) + "\n")
	}
	p.drawn = len(p.stages)
	io.WriteString(p.app.err, b.String())
}

func (p *progress) printLine() {
	var parts []string
	for _, s := range p.stages {
		parts = append(parts, p.text(s))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.app.err, "holdfast: %s\n", strings.Join(parts, "; "))
}

func (p *progress) bar(s stage) string {
	done, total := s.done(), s.total()
	fill := 0
	if total > 0 {
		fill = int(min(done, total) * barWidth / total)
	}
	return fmt.Sprintf("%-7s [%s%s] %s", s.name, strings.Repeat("#", fill), strings.Repeat("-", barWidth-fill), p.figures(done, total))
}

func (p *progress) text(s stage) string {
	return s.name + " " + p.figures(s.done(), s.total())
}

func (p *progress) figures(done, total int64) string {
	elapsed := time.Since(p.start).Seconds()
	rate := int64(float64(done) / max(elapsed, 0.001))
	if total <= 0 {
		return fmt.Sprintf("%s  %s/s", formatSize(done), formatSize(rate))
	}
	left := ""
	if rate > 0 && done < total {
		left = "  " + formatSpan(time.Duration(float64(total-done)/float64(rate)*float64(time.Second))) + " left"
	}
	return fmt.Sprintf("%3d%%  %s / %s  %s/s%s", min(100, done*100/total), formatSize(done), formatSize(total), formatSize(rate), left)
}

func (p *progress) emit() {
	first := p.stages[0]
	fields := map[string]any{
		"message_type": "status", "stage": first.name,
		"seconds_elapsed": int64(time.Since(p.start).Seconds()),
		"bytes_done":      first.done(), "total_bytes": first.total(),
	}
	if total := first.total(); total > 0 {
		fields["percent_done"] = min(1, float64(first.done())/float64(total))
	}
	if len(p.stages) > 1 {
		fields["bytes_placed"] = p.stages[1].done()
	}
	if p.extra != nil {
		for k, v := range p.extra() {
			fields[k] = v
		}
	}
	p.app.emit(fields)
}
