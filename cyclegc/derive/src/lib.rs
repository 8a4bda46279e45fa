//! `#[derive(Trace)]` for `cpymem-cyclegc`; use it through that crate.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Field, Fields, Result, parse_macro_input, parse_quote};

/// See the re-export in `cpymem_cyclegc`.
#[proc_macro_derive(Trace, attributes(trace))]
pub fn derive_trace(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(mut input: DeriveInput) -> Result<Tokens> {
    let options = Options::of_type(&input)?;
    let variants = match &input.data {
        Data::Struct(data) => vec![Variant::new(quote!(Self), &data.fields)?],
        Data::Enum(data) => data
            .variants
            .iter()
            .map(|variant| {
                let name = &variant.ident;
                Variant::new(quote!(Self::#name), &variant.fields)
            })
            .collect::<Result<_>>()?,
        Data::Union(_) => {
            return Err(Error::new_spanned(&input.ident, "`Trace` cannot be derived for a union"));
        }
    };
    let visit = variants.iter().map(Variant::visit_arm);
    let clear = variants.iter().map(Variant::clear_arm);
    let own_drop = options.drop.then(|| quote!(visitor.own_drop();));
    let needs =
        variants.iter().flat_map(|variant| &variant.fields).filter(|field| !field.skip).map(|field| {
            let ty = &field.ty;
            quote!(<#ty as ::cpymem_cyclegc::Trace>::needs_trace())
        });
    let needs = quote!(false #(|| #needs)*);

    let teardown =
        variants.iter().flat_map(|variant| &variant.fields).map(|Traced { ty, skip, .. }| match skip {
            false => quote!(inquiry.of::<#ty>()),
            true => quote!(::cpymem_cyclegc::Teardown::of_skipped::<#ty>()),
        });
    let own_teardown = if options.drop { quote!(Severs) } else { quote!(Plain) };
    let teardown = quote!(::cpymem_cyclegc::Teardown::#own_teardown #(.and(#teardown))*);

    for param in input.generics.type_params_mut() {
        param.bounds.push(parse_quote!(::cpymem_cyclegc::Trace));
    }
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let finalizer = options.finalize.then(|| {
        quote! {
            fn finalizer() -> Option<fn(&::cpymem_cyclegc::Gc<Self>)>
            where
                Self: Sized + 'static,
            {
                Some(<Self as ::cpymem_cyclegc::Finalize>::finalize)
            }
        }
    });
    // A type with a destructor of its own has two implementations of this trait.
    let no_drop = (!options.drop).then(|| {
        quote! {
            const _: () = {
                #[allow(non_camel_case_types)]
                trait a_type_with_a_Drop_of_its_own_needs_the_attribute_trace_drop {}
                #[allow(drop_bounds)]
                impl<__T: ::core::ops::Drop + ?Sized>
                    a_type_with_a_Drop_of_its_own_needs_the_attribute_trace_drop for __T {}
                impl #impl_generics a_type_with_a_Drop_of_its_own_needs_the_attribute_trace_drop
                    for #name #type_generics #where_clause {}
            };
        }
    });
    Ok(quote! {
        // SAFETY: every field that is not skipped is visited once, and cleared; nothing else happens.
        #[automatically_derived]
        #[allow(unsafe_code, unused_variables, clippy::all)]
        unsafe impl #impl_generics ::cpymem_cyclegc::Trace for #name #type_generics #where_clause {
            fn visit(&self, visitor: &mut ::cpymem_cyclegc::Visitor<'_>) {
                #own_drop
                match self { #(#visit)* _ => {} }
            }

            #[inline]
            fn clear(&mut self, clearer: &mut ::cpymem_cyclegc::Clearer<'_>) {
                match self { #(#clear)* _ => {} }
            }

            fn needs_trace() -> bool {
                #needs
            }

            fn teardown(inquiry: &mut ::cpymem_cyclegc::Inquiry) -> ::cpymem_cyclegc::Teardown {
                #teardown
            }

            #finalizer
        }

        #no_drop
    })
}

/// What `#[trace(..)]` on the type says.
#[derive(Default)]
struct Options {
    /// The type has a finalizer.
    finalize: bool,
    /// The type may have a destructor.
    drop: bool,
}

impl Options {
    fn of_type(input: &DeriveInput) -> Result<Options> {
        let mut options = Options::default();
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("trace")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("finalize") {
                    options.finalize = true;
                } else if meta.path.is_ident("drop") {
                    options.drop = true;
                } else {
                    return Err(meta.error(
                        "the options of a type are `finalize` and `drop`; `skip` belongs on a field",
                    ));
                }
                Ok(())
            })?;
        }
        Ok(options)
    }
}

/// One variant of an enum, or the struct.
struct Variant {
    path: Tokens,
    shape: Shape,
    fields: Vec<Traced>,
}

enum Shape {
    Named,
    Unnamed,
    Unit,
}

/// A field: how to bind it in a pattern, its type, and whether it is skipped.
struct Traced {
    member: Tokens,
    binding: proc_macro2::Ident,
    ty: syn::Type,
    skip: bool,
}

impl Variant {
    fn new(path: Tokens, fields: &Fields) -> Result<Variant> {
        let shape = match fields {
            Fields::Named(_) => Shape::Named,
            Fields::Unnamed(_) => Shape::Unnamed,
            Fields::Unit => Shape::Unit,
        };
        let fields = fields.iter().enumerate().map(|(index, field)| Traced::new(index, field));
        Ok(Variant { path, shape, fields: fields.collect::<Result<_>>()? })
    }

    /// The arm of a `match self` that visits every field that is not skipped, and says which are.
    fn visit_arm(&self) -> Tokens {
        self.arm(|binding, skip| match skip {
            false => Some(quote!(::cpymem_cyclegc::Trace::visit(#binding, visitor);)),
            true => Some(quote!(visitor.skip(#binding);)),
        })
    }

    /// The arm of a `match self` that clears every field that is not skipped.
    fn clear_arm(&self) -> Tokens {
        self.arm(|binding, skip| (!skip).then(|| quote!(::cpymem_cyclegc::Trace::clear(#binding, clearer);)))
    }

    /// The arm of a `match self` that does with each field what `call` says, if anything.
    fn arm(&self, call: impl Fn(&proc_macro2::Ident, bool) -> Option<Tokens>) -> Tokens {
        let path = &self.path;
        let calls: Vec<Option<Tokens>> =
            self.fields.iter().map(|field| call(&field.binding, field.skip)).collect();
        let patterns = self.fields.iter().zip(&calls).map(|(Traced { member, binding, .. }, call)| {
            match (&self.shape, call) {
                (Shape::Named, Some(_)) => quote!(#member: #binding),
                (Shape::Named, None) => quote!(#member: _),
                (_, Some(_)) => quote!(#binding),
                (_, None) => quote!(_),
            }
        });
        let pattern = match self.shape {
            Shape::Named => quote!(#path { #(#patterns),* }),
            Shape::Unnamed => quote!(#path(#(#patterns),*)),
            Shape::Unit => quote!(#path),
        };
        let calls = calls.iter().flatten();
        quote!(#pattern => { #(#calls)* })
    }
}

impl Traced {
    fn new(index: usize, field: &Field) -> Result<Traced> {
        let mut skip = false;
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("trace")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("skip") {
                    skip = true;
                    Ok(())
                } else {
                    Err(meta.error("the only option of a field is `skip`"))
                }
            })?;
        }
        let member = match &field.ident {
            Some(name) => quote!(#name),
            None => quote!(#index),
        };
        Ok(Traced { member, binding: format_ident!("field_{index}"), ty: field.ty.clone(), skip })
    }
}
