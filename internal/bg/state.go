package bg

// signal tells Run that the state has changed.
func (l *Loop) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *Loop) start() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !l.started
	l.started = true
	return first
}

// begin decides whether f runs now, and returns who waits for this run.
func (l *Loop) begin(due bool) (waiting []chan<- error, run bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.triggered && (l.paused || !due) {
		return nil, false
	}
	waiting, l.waiting = l.waiting, nil
	l.triggered = false
	l.running = make(chan struct{})
	return waiting, true
}

// finish tells those who wait how the run went.
func (l *Loop) finish(waiting []chan<- error, err error) {
	l.mu.Lock()
	close(l.running)
	l.running = nil
	l.mu.Unlock()
	for _, w := range waiting {
		w <- err
	}
}

// end turns away those who wait for a run that will not come.
func (l *Loop) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for _, w := range l.waiting {
		w <- ErrStopped
	}
	l.waiting = nil
}
