// Prints the table of draws again, as the helpers for Go make them; it is run in the folder of a project.
package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	. "plugin/telemill"
)

func number[T any](parse func(string, int, int) (T, error), text string) T {
	value, err := parse(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			fmt.Println(line)
			continue
		}
		cells := strings.Split(line, "\t")[:4]
		seed, entity := number(strconv.ParseUint, cells[0]), number(strconv.ParseUint, cells[2])
		process, step := ProcessOf(cells[1]), number(strconv.ParseInt, cells[3])
		draws := StreamOf(seed, process, entity, step)
		bits := StepsOf(seed, process, entity).Bits(step)
		one, two, few, many := draws.Bits(), draws.Bits(), draws.Below(1000), draws.Below(1<<40)
		fmt.Printf("%s\t%016x\t%016x\t%016x\t%d\t%d\t%016x\n", strings.Join(cells, "\t"), bits, one, two, few, many,
			math.Float64bits(draws.Unit()))
	}
}
