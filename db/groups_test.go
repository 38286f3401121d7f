package db

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// A group starts after its members came: what a caller is answered is never
// older than its question, though another's question is at the database when
// it comes. So what was revoked before a request began is revoked for it.
func TestAnswersAreNotOlderThanQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world, hold := 0, make(chan struct{})
		g := newGroups(8, 1, func(_ context.Context, questions []int) ([]int, error) {
			seen := world // the snapshot is taken at the start
			<-hold
			answers := make([]int, len(questions))
			for i := range answers {
				answers[i] = seen
			}
			return answers, nil
		})
		defer g.close()
		answers := make(chan [2]int, 3)
		ask := func(since int) {
			go func() {
				seen, err := g.do(t.Context(), since)
				if err != nil {
					t.Error(err)
				}
				answers <- [2]int{since, seen}
			}()
			synctest.Wait()
		}
		ask(world)
		world = 1 // something is revoked while the first question is being answered
		ask(world)
		world = 2
		ask(world)
		close(hold)
		for range 3 {
			if a := <-answers; a[1] < a[0] {
				t.Errorf("who asked at %d is told how it was at %d", a[0], a[1])
			}
		}
	})
}

// A reader whose time is over leaves at once, taken up or not; the others
// don't notice.
func TestLeavingAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		g := newGroups(8, 1, func(_ context.Context, questions []int) ([]int, error) {
			<-hold
			return questions, nil
		})
		defer g.close()
		ctx, cancel := context.WithCancel(t.Context())
		impatient, patient := make(chan error, 2), make(chan int, 2)
		for i := range 2 {
			go func() { _, err := g.do(ctx, i); impatient <- err }()
			synctest.Wait()
			go func() {
				n, err := g.do(t.Context(), 10+i)
				if err != nil {
					t.Error(err)
				}
				patient <- n
			}()
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		if len(impatient) != 2 || !errors.Is(<-impatient, context.Canceled) || !errors.Is(<-impatient, context.Canceled) {
			t.Error("who gave up still waits")
		}
		close(hold)
		if sum := <-patient + <-patient; sum != 21 {
			t.Error("the others were not answered what they asked")
		}
		g.close()
		if _, err := g.do(t.Context(), 1); !errors.Is(err, errClosing) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// More groups than one are at the database at once where that is wanted, and
// each caller gets the answer to its own question.
func TestGroupsInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at, most, hold := 0, 0, make(chan struct{})
		turn := make(chan struct{}, 1)
		g := newGroups(4, 3, func(_ context.Context, questions []int) ([]int, error) {
			turn <- struct{}{}
			at++
			most = max(most, at)
			<-turn
			<-hold
			turn <- struct{}{}
			at--
			<-turn
			answers := make([]int, len(questions))
			for i, q := range questions {
				answers[i] = -q
			}
			return answers, nil
		})
		defer g.close()
		const callers = 100
		done := make(chan bool, callers)
		for i := range callers {
			go func() {
				n, err := g.do(t.Context(), i)
				done <- err == nil && n == -i
			}()
		}
		synctest.Wait()
		close(hold)
		for range callers {
			if !<-done {
				t.Error("a caller was answered another's question")
			}
		}
		if most != 3 {
			t.Errorf("at most %d groups were at the database", most)
		}
	})
}
