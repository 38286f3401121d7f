package publicnet_test

import (
	"net/netip"
	"testing"

	"infsh/publicnet"
)

// No address of this machine, of a private network or of a cloud's metadata is
// called, in whatever form it is written.
func TestWhichAddressesAreCalled(t *testing.T) {
	for _, a := range []string{
		"127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
		"192.0.0.192", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "168.63.129.16",
		"::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:db8::1", "2001::1",
	} {
		if publicnet.Address(netip.MustParseAddr(a)) {
			t.Errorf("%s is called", a)
		}
	}
	for _, a := range []string{"93.184.216.34", "8.8.8.8", "172.32.0.1", "100.63.255.255", "2606:4700::1111"} {
		if !publicnet.Address(netip.MustParseAddr(a)) {
			t.Errorf("%s is not called", a)
		}
	}
}
