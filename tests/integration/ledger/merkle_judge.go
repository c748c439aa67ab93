// Asks transparency-dev/merkle, one question to a line, and prints yes or no for each:
//
//	inclusion INDEX SIZE LEAF ROOT NODE…
//	consistency SIZE SIZE ROOT ROOT NODE…
//
// Hashes are hexadecimal.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		first := must(strconv.ParseUint(words[1], 10, 64))
		second := must(strconv.ParseUint(words[2], 10, 64))
		var hashes [][]byte
		for _, word := range words[3:] {
			hashes = append(hashes, must(hex.DecodeString(word)))
		}
		var err error
		if words[0] == "inclusion" {
			err = proof.VerifyInclusion(rfc6962.DefaultHasher, first, second, hashes[0], hashes[2:], hashes[1])
		} else {
			err = proof.VerifyConsistency(rfc6962.DefaultHasher, first, second, hashes[2:], hashes[0], hashes[1])
		}
		if err == nil {
			fmt.Println("yes")
		} else {
			fmt.Println("no")
		}
	}
}
