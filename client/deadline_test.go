package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var errLimit = errors.New("limit")

// endsAfter waits for ctx and checks how long that took.
func endsAfter(t *testing.T, ctx context.Context, began time.Time, want time.Duration) {
	t.Helper()
	<-ctx.Done()
	if took := time.Since(began); took != want {
		t.Errorf("ended after %v, want %v", took, want)
	}
	if cause := context.Cause(ctx); cause != errLimit {
		t.Errorf("cause %v", cause)
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, d := withDeadline(t.Context(), 10*time.Second, errLimit)
		defer d.stop()
		endsAfter(t, ctx, began, 10*time.Second)
	})
}

func TestDeadlineStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, d := withDeadline(t.Context(), 10*time.Second, errLimit)
		defer d.stop()
		time.Sleep(4 * time.Second)
		d.pause()
		d.pause() // one question within another
		time.Sleep(time.Hour)
		d.resume()
		time.Sleep(time.Hour)
		d.resume()
		endsAfter(t, ctx, began, 2*time.Hour+10*time.Second)
	})
}

func TestDeadlineRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, d := withDeadline(t.Context(), 10*time.Second, errLimit)
		defer d.stop()
		time.Sleep(9 * time.Second)
		d.restart()
		endsAfter(t, ctx, began, 19*time.Second)
	})
}

func TestDeadlineOfAJumpHostPausesItsTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, target := withDeadline(t.Context(), 10*time.Second, errLimit)
		defer target.stop()
		_, hop := withDeadline(ctx, 0, errLimit)
		defer hop.stop()
		hop.parent = target
		hop.pause()
		time.Sleep(time.Minute)
		hop.resume()
		endsAfter(t, ctx, began, time.Minute+10*time.Second)
	})
}

func TestNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, d := withDeadline(t.Context(), 0, errLimit)
		d.pause()
		d.resume()
		d.restart()
		time.Sleep(1000 * time.Hour)
		if ctx.Err() != nil {
			t.Error("ended without a limit")
		}
		d.stop()
	})
}
