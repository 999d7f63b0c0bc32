package p2p

import "sync"

// forEach calls f for every item, at most limit at the same time, and waits.
func forEach[T any](items []T, limit int, f func(T)) {
	slots := make(chan struct{}, limit)
	var wg sync.WaitGroup
	for _, item := range items {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(item)
		})
	}
	wg.Wait()
}
