package runner

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"infsh/redact"
)

// A process that the command left behind may hold the pipes open. After the
// command's end the output is read for lingering; then what is in the pipes at
// that time, which the command may have printed, and no more.
const (
	lingering = time.Second
	settle    = 20 * time.Millisecond
	maxDrain  = 1 << 20 // the largest pipe of an ordinary user, see pipe(7)
)

// output is what the command prints, on its way through the masks.
type output struct {
	stdout, stderr *os.File // the command's ends, until started
	pumps          []*pump
	closed         sync.Once
}

// pump copies one pipe.
type pump struct {
	name   string
	reader *os.File
	to     io.Writer
	writer *redact.Writer
	done   chan struct{}
	err    error
}

func newOutput(c Command, term *terminal) (*output, error) {
	out := &output{}
	var err error
	if out.stdout = term.output(c.Stdout); out.stdout != nil {
		out.copyFrom(term.master, "standard output", c.Stdout)
	} else if out.stdout, err = out.add("standard output", c.Stdout); err != nil {
		return nil, err
	}
	if term.output(c.Stderr) != nil || same(c.Stdout, c.Stderr) {
		out.stderr = out.stdout
		return out, nil
	}
	if out.stderr, err = out.add("standard error", c.Stderr); err != nil {
		out.close()
		return nil, err
	}
	return out, nil
}

func (out *output) add(name string, to io.Writer) (*os.File, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe for %s: %w", name, err)
	}
	out.copyFrom(reader, name, to)
	return writer, nil
}

func (out *output) copyFrom(reader *os.File, name string, to io.Writer) {
	if to == nil {
		to = io.Discard
	}
	out.pumps = append(out.pumps, &pump{name: name, reader: reader, to: to, done: make(chan struct{})})
}

// same reports that two writers lead to one place, such as one terminal.
func same(a, b io.Writer) bool {
	fileA, isA := a.(*os.File)
	fileB, isB := b.(*os.File)
	if !isA || !isB {
		return false
	}
	infoA, errA := fileA.Stat()
	infoB, errB := fileB.Stat()
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// started closes the command's ends in this process.
func (out *output) started() {
	out.closed.Do(func() {
		out.stdout.Close()
		if out.stderr != nil && out.stderr != out.stdout {
			out.stderr.Close()
		}
	})
}

// close closes everything; after finish it does nothing.
func (out *output) close() {
	out.started()
	for _, p := range out.pumps {
		p.reader.Close()
	}
}

func (out *output) copy(set *redact.Set, c Command) {
	var opts []redact.Option
	if c.MaskWithKeys {
		opts = append(opts, redact.WithKeys())
	}
	for _, p := range out.pumps {
		p.writer = set.NewWriter(outlet{to: p.to, from: p.reader}, opts...)
		go p.run()
	}
}

// refresh masks fresh secrets, and then gives them to the command.
func (out *output) refresh(c Command, ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case fresh := <-c.Fresh:
			fresh.Written <- out.take(c, fresh.Secrets)
		}
	}
}

func (out *output) take(c Command, secrets []redact.Needle) error {
	for _, secret := range secrets {
		if err := permit(secret); err != nil {
			return err
		}
	}
	if err := permitFiles(secrets); err != nil {
		return err
	}
	for _, p := range out.pumps {
		// It fails where nothing is printed any more.
		_ = p.writer.Add(secrets...)
	}
	return c.Mount.write(secrets)
}

func (p *pump) run() {
	defer close(p.done)
	_, p.err = p.writer.ReadFrom(&drain{from: p.reader})
	if err := p.writer.Close(); p.err == nil {
		p.err = err
	}
	p.reader.Close()
}

// drain reads until the end, an error, which ends it as well, or a while after the
// deadline: then only what is in the pipe.
type drain struct {
	from  *os.File
	late  bool
	since int // how much was read, since it is late
}

func (d *drain) Read(buf []byte) (int, error) {
	n, err := d.from.Read(buf)
	expired := errors.Is(err, os.ErrDeadlineExceeded)
	if d.late {
		if d.since += n; expired || d.since >= maxDrain {
			return n, io.EOF
		}
	}
	if err != nil && !expired {
		return n, io.EOF
	}
	if d.late = d.late || expired; d.late {
		// A read with a deadline in the past does not look into the pipe.
		_ = d.from.SetReadDeadline(time.Now().Add(settle))
	}
	return n, nil
}

// outlet is where the output goes. A command that prints on where nobody reads
// gets SIGPIPE, as without us.
type outlet struct {
	to   io.Writer
	from *os.File
}

func (o outlet) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if err != nil {
		o.from.Close()
	}
	return n, err
}

// finish waits for the rest of the output, and returns what was masked and which
// output could not be written. That the reader went away is no error.
func (out *output) finish() ([]redact.Finding, error) {
	for _, p := range out.pumps {
		_ = p.reader.SetReadDeadline(time.Now().Add(lingering))
	}
	var found []redact.Finding
	var failed []error
	for _, p := range out.pumps {
		<-p.done
		found = redact.MergeFindings(found, p.writer.Findings())
		if p.err != nil && !errors.Is(p.err, syscall.EPIPE) {
			failed = append(failed, fmt.Errorf("writing %s: %w", p.name, p.err))
		}
	}
	return found, errors.Join(failed...)
}
