//go:build !linux

package dbtest

import (
	"errors"
	"net/url"
)

func startServer(bool) (base *url.URL, stop func() error, err error) {
	return nil, nil, errors.New("a server is started on Linux only; name one in INFSH_TEST_POSTGRES")
}

func startPooler(*url.URL, string) (base *url.URL, stop func() error, err error) {
	return nil, nil, errors.New("pgbouncer is started on Linux only")
}
