package monitor

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// Job is a command for a monitor. It comes through the connection and not by
// execve(2), so that a monitor starts before it is known, and holds nothing that
// others of the same user could read in /proc before it is protected from them.
type Job struct {
	// OwnTerminal says that Files are a terminal for the command alone.
	OwnTerminal bool
	Path        string
	Argv, Env   []string
	// Files are the standard streams. A monitor lets go of them as soon as it can.
	Files [3]*os.File
}

const (
	jobInPlace  = 'j' // the command stays in the job of its runner
	jobTerminal = 't'
)

// Send hands the job to the monitor at the other end of a socket.
func (j Job) Send(control *os.File) error {
	kind := byte(jobInPlace)
	if j.OwnTerminal {
		kind = jobTerminal
	}
	text := appendTexts([]byte{kind}, append([]string{j.Path}, j.Argv...))
	text = appendTexts(text, j.Env)
	head := appendNumber(nil, len(text))
	rights := syscall.UnixRights(int(j.Files[0].Fd()), int(j.Files[1].Fd()), int(j.Files[2].Fd()))
	for {
		err := syscall.Sendmsg(int(control.Fd()), head, rights, nil, syscall.MSG_NOSIGNAL)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		_, err = control.Write(text)
		return err
	}
}

// receiveJob waits for the job. It fails where the runner ends without one.
func receiveJob(control *os.File) (Job, error) {
	var head [4]byte
	rights := make([]byte, syscall.CmsgSpace(3*4))
	var n, got int
	var err error
	for {
		n, got, _, _, err = syscall.Recvmsg(ControlFD, head[:], rights, syscall.MSG_CMSG_CLOEXEC|syscall.MSG_WAITALL)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil || n < len(head) {
		return Job{}, io.ErrUnexpectedEOF
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:got])
	if err != nil || len(messages) != 1 {
		return Job{}, syscall.EINVAL
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 3 {
		return Job{}, syscall.EINVAL
	}
	size, _, _ := cutNumber(head[:])
	text := make([]byte, size)
	if _, err := io.ReadFull(control, text); err != nil || len(text) == 0 {
		return Job{}, io.ErrUnexpectedEOF
	}
	j := Job{OwnTerminal: text[0] == jobTerminal}
	for i, fd := range fds {
		j.Files[i] = os.NewFile(uintptr(fd), "stream")
	}
	command, text, ok := cutTexts(text[1:])
	env, _, ok2 := cutTexts(text)
	if !ok || !ok2 || len(command) < 2 {
		return Job{}, syscall.EINVAL
	}
	j.Path, j.Argv, j.Env = command[0], command[1:], env
	return j, nil
}

// appendTexts writes how many texts there are, and each after its length.
func appendTexts(b []byte, texts []string) []byte {
	b = appendNumber(b, len(texts))
	for _, t := range texts {
		b = append(appendNumber(b, len(t)), t...)
	}
	return b
}

func appendNumber(b []byte, n int) []byte {
	return append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// cutTexts reads what appendTexts wrote, and returns what follows.
func cutTexts(b []byte) (texts []string, rest []byte, ok bool) {
	count, b, ok := cutNumber(b)
	for ; ok && count > 0; count-- {
		var n int
		if n, b, ok = cutNumber(b); !ok || n > len(b) {
			return nil, nil, false
		}
		texts, b = append(texts, string(b[:n])), b[n:]
	}
	return texts, b, ok
}

func cutNumber(b []byte) (n int, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, false
	}
	return int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3]), b[4:], true
}
