package cli

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// checkPeer refuses a process of another user at the other end of a unix socket.
func checkPeer(conn net.Conn) error {
	sys, ok := conn.(syscall.Conn)
	if !ok {
		return errors.New("the other end of the socket can't be told")
	}
	raw, err := sys.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return err
	}
	if failed != nil {
		return os.NewSyscallError("getsockopt", failed)
	}
	if int(peer.Uid) != os.Geteuid() {
		return fmt.Errorf("the other end of the socket belongs to user %d", peer.Uid)
	}
	return nil
}
