package monitor

import "io"

// Message is what goes between runner and monitor, in 5 bytes.
type Message struct {
	Kind   byte
	Number uint32
}

const (
	// To the runner.
	HasStarted   = 'p' // Number: the command's process id
	HasFailed    = 'e' // Number: the error of execve(2)
	HasChanged   = 'w' // Number: a status as wait(2) gives it
	HasContinued = 'k'
	// To the monitor.
	DoSignal   = 's' // Number: a signal for the command
	DoContinue = 'c' // the command stopped: as the terminal's foreground
	DoResume   = 'r' // the command stopped: unless somebody else continued it
	DoWait     = 'n' // the command stopped, and is not continued by this runner
	Done       = 'q' // the command has ended, and nothing is left to clear away
)

// Send writes the message.
func (m Message) Send(w io.Writer) error {
	n := m.Number
	_, err := w.Write([]byte{m.Kind, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	return err
}

// Receive reads a message.
func Receive(r io.Reader) (Message, error) {
	var b [5]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return Message{}, err
	}
	return Message{b[0], uint32(b[1])<<24 | uint32(b[2])<<16 | uint32(b[3])<<8 | uint32(b[4])}, nil
}
