package schedule

// forger is a writer that signs anything, together with the liars among the members and
// with the network: every word that was ever signed for its lanes is in its hands, and
// whatever it wants arrives, where and when it wants. It has the owner's key too.
type forger struct {
	first   int   // lane that it plays
	lanes   int   // how many
	heights int64 // that it plays at
	tries   int64 // attempts that it makes at each
	forks   int   // entries that it makes after one
}

// campaign takes one entry at one attempt as far as some of the members are to see it.
func (g forger) campaign(w *world) {
	s, ok := g.choose(w)
	if !ok {
		return
	}
	asked, voting, holding := w.some(), w.some(), w.some()
	if s.attempt > 0 {
		for _, m := range asked {
			w.question(m, s.place)
		}
	}
	if w.random.IntN(4) == 0 { // another one may be possible after these reports
		if s, ok = g.pick(w, s.place); !ok {
			return
		}
	}
	for _, m := range voting {
		w.ask(m, s)
	}
	if w.random.IntN(3) == 0 || len(w.certs) == 0 {
		return // it keeps the certificate for later
	}
	if w.random.IntN(3) == 0 || !w.certified(s) {
		s = w.certs[w.random.IntN(len(w.certs))]
	}
	for _, m := range holding {
		w.show(m, s, w.random.IntN(4) > 0)
	}
}

// meddle does something about charters and releases with some of the members.
func (g forger) meddle(w *world) {
	what := w.random.IntN(5)
	if what == 0 {
		w.charter(w.random.IntN(w.charters + 1))
	}
	if len(w.releases) < 3 && w.random.IntN(3) == 0 {
		w.releases = append(w.releases, release{charter: w.random.IntN(w.charters + 1), takes: 1 << w.random.IntN(2), standing: map[int]set{}})
	}
	number := w.random.IntN(len(w.releases) + 1)
	for _, m := range w.some() {
		switch {
		case what == 1:
			w.freeze(m)
		case what == 2:
			w.inherit(m)
		case number == len(w.releases):
		case what == 3:
			w.consent(m, number)
		case what == 4:
			w.stand(m, number)
		}
	}
}

// some returns some of the honest members, in any order.
func (w *world) some() []int {
	out := append([]int(nil), w.honest...)
	w.random.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:1+w.random.IntN(len(out))]
}

// choose returns an entry and a place for it.
func (g forger) choose(w *world) (subject, bool) {
	p := place{w.random.IntN(w.charters + 1), g.first + w.random.IntN(g.lanes), 1 + w.random.Int64N(g.heights), w.random.Int64N(g.tries)}
	if w.random.IntN(3) == 0 {
		g.invent(w, p)
	}
	return g.pick(w, p)
}

// invent makes another entry at a height.
func (g forger) invent(w *world, p place) {
	prev, ok := w.began(p.charter, p.lane)
	if p.height > 1 && (!ok || prev.height != p.height-1) {
		below := p
		below.height--
		prev, ok = g.pick(w, below)
	}
	if p.height > 1 && !ok || p.height == 1 && prev.entry != 0 {
		return
	}
	siblings := 0
	for _, e := range w.entries[1:] {
		if e.charter == p.charter && e.lane == p.lane && e.height == p.height && e.prev == prev.entry {
			siblings++
		}
	}
	if siblings >= g.forks {
		return
	}
	e := entry{charter: p.charter, lane: p.lane, height: p.height, prev: prev.entry}
	if p.lane != ownerLane {
		e.refs = segments(w.random.IntN(4) & w.random.IntN(4))
	}
	w.add(e)
}

// pick returns one of the entries at a height.
func (g forger) pick(w *world, p place) (subject, bool) {
	n, chosen := 0, 0
	for id, e := range w.entries {
		if id > 0 && e.charter == p.charter && e.lane == p.lane && e.height == p.height {
			if n++; w.random.IntN(n) == 0 {
				chosen = id
			}
		}
	}
	return subject{p, chosen}, n > 0
}

// allowed says whether reports of a quorum exist that let an entry be proposed at a
// place, and to what they bind it. The liars report what suits, as far as there is a
// certificate that they can put in.
func (f *facts) allowed(s subject) (bound int, ok bool) {
	if s.attempt == 0 {
		return 0, true
	}
	mine := f.highest(s.place, s.entry)
	var free, fit set
	shown := f.liars > 0
	for _, r := range f.reports[s.place] {
		switch h := r.highest; {
		case h.entry == 0:
			free, fit = free.with(r.member), fit.with(r.member)
		case mine.entry != 0 && (h == mine || h.attempt < mine.attempt):
			fit, shown = fit.with(r.member), shown || h == mine
		}
	}
	if f.enough(free) {
		return 0, true
	}
	return s.entry, mine.entry != 0 && shown && f.enough(fit)
}
