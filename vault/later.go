package vault

import "sync"

// later is what a session still writes to its own machine after it has said that an
// entry is final: caches, and the removal of what is not needed any more. A crash
// before it is written costs time, and no promise. One task after another runs, in
// the order in which they came.
type later struct {
	mu     sync.Mutex
	tasks  []func() error
	busy   chan struct{} // closed when no task is left; nil while none runs
	failed []error
}

// do leaves a task to the background. Nobody calls it and wait at the same time.
func (l *later) do(task func() error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tasks = append(l.tasks, task)
	if l.busy == nil {
		l.busy = make(chan struct{})
		go l.run(l.busy)
	}
}

func (l *later) run(busy chan struct{}) {
	defer close(busy)
	for {
		l.mu.Lock()
		if len(l.tasks) == 0 {
			l.busy = nil
			l.mu.Unlock()
			return
		}
		task := l.tasks[0]
		l.tasks = l.tasks[1:]
		l.mu.Unlock()
		if err := task(); err != nil {
			l.mu.Lock()
			l.failed = append(l.failed, err)
			l.mu.Unlock()
		}
	}
}

// wait returns when all tasks have run, with what has failed since the last time.
func (l *later) wait() []error {
	l.mu.Lock()
	busy := l.busy
	l.mu.Unlock()
	if busy != nil {
		<-busy
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	failed := l.failed
	l.failed = nil
	return failed
}

// settle waits until everything is written that was left for later.
func (s *Session) settle() {
	for _, err := range s.later.wait() {
		s.warn("%v", err)
	}
}
