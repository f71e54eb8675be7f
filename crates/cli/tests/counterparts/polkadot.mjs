// A transfer with polkadot.js on the chain at URL, for the test `counterparts`.
//
//     node polkadot.mjs URL FOLDER
//
// FOLDER holds node_modules with @polkadot/api. //Alice sends 1 TAO to //Bob; what was seen of it is printed as JSON.

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [url, folder] = process.argv.slice(2);
const entry = createRequire(join(folder, "package.json")).resolve("@polkadot/api");
const polkadot = await import(pathToFileURL(entry));
const { ApiPromise, Keyring, WsProvider } = polkadot.default ?? polkadot;

const api = await ApiPromise.create({ provider: new WsProvider(url), noInitWarn: true });
const keys = new Keyring({ type: "sr25519" });
const [alice, bob] = ["//Alice", "//Bob"].map((uri) => keys.addFromUri(uri));
const free = async (account) => (await api.query.system.account(account.address)).data.free.toString();
const before = await free(bob);

const transfer = api.tx.balances.transferKeepAlive(bob.address, 1_000_000_000n);
const { partialFee } = await transfer.paymentInfo(alice);
const steps = [];
const final = await new Promise((resolve, reject) => {
  transfer
    .signAndSend(alice, (result) => {
      steps.push(result.status.type);
      if (result.isFinalized) resolve(result);
      if (result.isError) reject(new Error(result.status.type));
    })
    .catch(reject);
});

const hash = final.status.asFinalized;
const { block } = await api.rpc.chain.getBlock(hash);
const events = await (await api.at(hash)).query.system.events();
const of = (index) => events.filter(({ phase }) => phase.isApplyExtrinsic && phase.asApplyExtrinsic.eq(index));
const subnets = await api.query.subtensorModule.networksAdded.entries();
const refused = await new Promise((resolve, reject) => {
  api.tx.subtensorModule
    .startCall(77)
    .signAndSend(alice, ({ status, dispatchError }) => {
      if (status.isInBlock || status.isFinalized) resolve(api.registry.findMetaError(dispatchError.asModule).name);
    })
    .catch(reject);
});
const settings = await api.call.subnetInfoRuntimeApi.getSubnetHyperparamsV3(1);

console.log(
  JSON.stringify({
    chain: (await api.rpc.system.chain()).toString(),
    spec_version: api.runtimeVersion.specVersion.toNumber(),
    before,
    after: await free(bob),
    fee: partialFee.toString(),
    steps,
    block: block.header.number.toNumber(),
    extrinsics: block.extrinsics.map(({ isSigned, method, signer }) => ({
      call: `${method.section}.${method.method}`,
      signer: isSigned ? signer.toString() : null,
      arguments: method.args.map((argument) => argument.toString()),
    })),
    events: of(1).map(({ event }) => `${event.section}.${event.method}`),
    subnets: subnets.map(([key]) => key.args[0].toNumber()).sort(),
    refused,
    tempo: settings.unwrap().find(({ name }) => name.toUtf8() === "tempo").value.asU16.toNumber(),
  }),
);
await api.disconnect();
