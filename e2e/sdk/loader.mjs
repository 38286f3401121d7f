// The SDK's modules import each other without the .js at the end, as bundlers
// take it and Node does not. This tries again with it.
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (!specifier.startsWith('.') || (error.code !== 'ERR_MODULE_NOT_FOUND' && error.code !== 'ERR_UNSUPPORTED_DIR_IMPORT')) throw error;
    return await next(specifier + '.js', context);
  }
}
