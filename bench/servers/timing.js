// Each Node server's `hashing.js` ends here; timing.py says what it prints.
export async function main(make, check) {
  const [command, password, seconds] = process.argv.slice(2);
  const hashed = await make(password);
  if (command === "make") {
    console.log(hashed);
    return;
  }
  const began = performance.now();
  let count = 0;
  let passed = 0;
  while (passed < Number(seconds) || count < 3) {
    if (!(await check(password, hashed))) throw new Error("not the password");
    count += 1;
    passed = (performance.now() - began) / 1000;
  }
  console.log(count / passed);
}
